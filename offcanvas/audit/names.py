"""Celery's own names: one canonical spelling each, and what a call of each gives back."""

from collections.abc import Mapping
from typing import Final

APP: Final = "celery.Celery"
TASK: Final = "celery.Task"
SIGNATURE: Final = "celery.Signature"
RESULT: Final = "celery.result.AsyncResult"

PRIMITIVES: Final = frozenset({"celery.chain", "celery.group", "celery.chord"})
BUILDERS: Final = PRIMITIVES | {
    "celery.signature",
    "celery.chunks",
    "celery.xmap",
    "celery.xstarmap",
}
"""Calling one of these makes a signature."""

_TOP: Final = (
    *("Celery", "Signature", "Task", "chain", "chord", "chunks", "current_app", "current_task"),
    *("group", "maybe_signature", "shared_task", "signature", "subtask", "xmap", "xstarmap"),
)

_ALIASES: Final[Mapping[str, str]] = {
    **{f"celery.canvas.{name}": f"celery.{name}" for name in _TOP},
    **{f"celery.app.{name}": f"celery.{name}" for name in _TOP},
    "celery.app.base.Celery": APP,
    "celery.app.task.Task": TASK,
    "celery.task.base.Task": TASK,
    "celery.task.Task": TASK,
    "celery.contrib.django.task.DjangoTask": TASK,
    "celery._state.current_app": "celery.current_app",
    "celery.task.task": "celery.task",
    "celery.decorators.task": "celery.task",
    "celery.app.shared_task": "celery.shared_task",
    "celery.canvas.Signature": SIGNATURE,
    "celery.subtask": "celery.signature",
    "celery.canvas.subtask": "celery.signature",
    "celery.maybe_signature": "celery.signature",
    "celery.canvas.maybe_signature": "celery.signature",
    "celery.canvas._chain": "celery.chain",
    "celery.canvas._chord": "celery.chord",
    "celery.canvas.StampingVisitor": "celery.canvas.StampingVisitor",
    "celery.AsyncResult": RESULT,
    "celery.result.GroupResult": RESULT,
    "celery.result.ResultSet": RESULT,
    "celery.result.result_from_tuple": "celery.result.result_from_tuple",
    "django.db.transaction.atomic": "django.db.transaction.atomic",
}

REGISTRY: Final = "celery.app.registry.TaskRegistry"

INSTANCES: Final[Mapping[str, str]] = {
    "celery.current_app": APP,
    "celery.current_task": TASK,
    f"{TASK}.app": APP,
    f"{TASK}._app": APP,
    f"{APP}.tasks": REGISTRY,
}
"""Names that are objects of a class, not the class."""

GIVES: Final[Mapping[str, str]] = {
    **dict.fromkeys(BUILDERS, SIGNATURE),
    **dict.fromkeys(
        (f"{TASK}.{m}" for m in ("s", "si", "signature", "subtask", "map", "starmap", "chunks")),
        SIGNATURE,
    ),
    f"{TASK}.signature_from_request": SIGNATURE,
    **dict.fromkeys(
        (f"{TASK}.{m}" for m in ("delay", "apply_async", "apply", "AsyncResult")), RESULT
    ),
    **dict.fromkeys(
        (
            f"{SIGNATURE}.{m}"
            for m in ("s", "set", "clone", "on_error", "group", "replace", "__or__", "skew")
        ),
        SIGNATURE,
    ),
    **dict.fromkeys(
        (f"{SIGNATURE}.{m}" for m in ("delay", "apply_async", "apply", "__call__", "freeze")),
        RESULT,
    ),
    f"{APP}.send_task": RESULT,
    f"{APP}.AsyncResult": RESULT,
    f"{APP}.GroupResult": RESULT,
    f"{APP}.signature": SIGNATURE,
    "celery.result.result_from_tuple": RESULT,
    f"{APP}.register_task": TASK,
    f"{REGISTRY}.get": TASK,
    f"{REGISTRY}.pop": TASK,
    RESULT: RESULT,
    APP: APP,
}
"""Canonical name of what is called -> class of what comes back."""


def canonical(dotted: str) -> str:
    """The one spelling of a name of Celery's; other names are given back as they are."""
    return _ALIASES.get(dotted, dotted)
