"""Messages or results that are pickled.

Bad:
    from celery import Celery

    app = Celery("shop")
    app.conf.task_serializer = "pickle"
    app.conf.accept_content = ["json", "pickle"]
Good:
    from celery import Celery

    app = Celery("shop")
    app.conf.task_serializer = "json"
    app.conf.accept_content = ["json"]
Why: A worker that accepts pickle runs whatever code a message holds: who can write to the broker
    owns the workers. Pickled objects also tie messages to the classes of one release, so that a
    deployment breaks what is queued, and no other engine can read them.
Prefect: Results are pickled by default; `result_serializer="json"` changes it.
Temporal: The default data converter writes JSON and Protobuf.
Source: https://docs.celeryq.dev/en/stable/userguide/security.html#serializers
"""

from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.values import Const, Either, Seq, Value

_SETTINGS: Final = frozenset(
    {"task_serializer", "result_serializer", "event_serializer", "accept_content"}
    | {"result_accept_content"}
)
_PICKLE: Final = frozenset({"pickle", "application/x-python-serialize"})


@module_rule("CEL505", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Settings and task options of this file, and call sites that choose a serializer."""
    project = module.project
    for setting in project.settings.written:
        if setting.path != module.path or setting.key not in _SETTINGS:
            continue
        said = _says_pickle(module, setting.value)
        if said is not None:
            yield Remark(
                module.path,
                setting.line,
                1,
                f"{setting.written} allows pickle: who writes to the broker or the results can run "
                "any code where it is read, and no other engine reads it; use json",
                doubt=said,
            )
    for task in project.tasks:
        option = task.options.get("serializer") if task.path == module.path else None
        said = _says_pickle(module, option) if option is not None else None
        if said is not None:
            yield Remark(
                task.path,
                task.line,
                task.column + 1,
                f"the messages of {task.name} are pickled; use json",
                doubt=said,
                end_line=task.line,
            )
    for send in module.sends:
        chosen = send.options.get("serializer")
        if chosen is not None and module.literal(chosen) in _PICKLE:
            yield module.remark(send.node, "this message is pickled; use serializer='json'")


def _says_pickle(module: Module, value: Value) -> str | None:
    """The doubt about it ("" for none) when a value names pickle, None when it does not."""
    value = module.project.index.constant(module.facts, value) or value
    if isinstance(value, Const):
        said = value.value
        return "" if isinstance(said, str) and said.lower() in _PICKLE else None
    if isinstance(value, Seq):
        return next((d for v in value.items if (d := _says_pickle(module, v)) is not None), None)
    if isinstance(value, Either) and any(
        _says_pickle(module, v) is not None for v in value.options
    ):
        return "it is one of several choices"
    return None
