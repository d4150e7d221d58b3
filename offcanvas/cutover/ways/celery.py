"""The way to Celery, with a token by which a worker tells a message from its repetition.

Celery has no ids that it refuses a second time. So each send carries a new token, and the worker
lets only the first token of a claim run (``begun``). A message that a broker delivers again has the
same token and runs again, as ``acks_late`` wants it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import Celery, Task
from celery import states as celery_states
from celery.exceptions import TimeoutError as NotThere

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Chain, Chord, Chunks, Group, Leaf, Node, with_options
from offcanvas.celery_app.freezing import signature_of
from offcanvas.celery_app.seam import unrouted
from offcanvas.cutover.calls import Call
from offcanvas.cutover.claims import FAILURE, SUCCESS, Claim
from offcanvas.cutover.decision import inner_id
from offcanvas.cutover.ways.base import Ended, Ready

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The header that carries claim and token.
HEADER = "offcanvas_claim"
_leaving: ContextVar[bool] = ContextVar("offcanvas_leaving_to_celery", default=False)


def is_left_to_celery() -> bool:
    """Whether what is sent now is part of what Celery was given."""
    return _leaving.get()


@contextmanager
def left_to_celery() -> Iterator[None]:
    """What Celery sends of a canvas, inside of its own code, is not a root."""
    token = _leaving.set(True)
    try:
        yield
    finally:
        _leaving.reset(token)


def as_ever(
    app: Celery,
    signature: Mapping[str, Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Any:
    """What Celery does with the call, and nothing else."""
    with left_to_celery():
        kind = signature.get("subtask_type")
        if kind is not None or signature["task"] in {"celery.map", "celery.starmap"}:
            own: Any = unrouted(_patched(type(signature)), "apply_async")
            return own(signature, args, kwargs, **options)
        task = app.tasks.get(signature["task"])
        name, its = signature["task"], (signature["args"], signature["kwargs"])
        if task is None:
            return unrouted(Celery, "send_task")(app, name, *its, **options)
        return unrouted(Task, "apply_async")(task, *its, **options)


def _patched(cls: type) -> type:
    return next(one for one in cls.__mro__ if "apply_async" in vars(one))


class CeleryWay:
    """See ``base.Way``."""

    def __init__(self, app: Celery) -> None:
        self.app = app

    def ready(self, call: Call) -> Ready:
        """See ``Way.ready``."""
        token = {"id": call.task_id, "token": secrets.token_hex(8)}
        if call.is_canvas:
            return self._canvas(call, token)
        options = {
            **call.options,
            "headers": {**(call.options.get("headers") or {}), HEADER: token},
        }
        task = self.app.tasks.get(call.signature["task"])
        result = (task or self.app).AsyncResult(call.task_id)
        send = lambda: as_ever(self.app, call.signature, (), {}, options)  # noqa: E731  # one line of code with one line of name
        return Ready(result, send)

    def _canvas(self, call: Call, token: Mapping[str, str]) -> Ready:
        node = lift(call.signature)
        if isinstance(node, Chunks):
            node = lift(signature_of(self.app, node).group())
        marked, entries = _marked(node, call.task_id, token, "0", last=True)
        options = dict(call.options)
        if options.get("headers"):  # they come over those of the members
            options["headers"] = {**options["headers"], HEADER: token}

        def made() -> Any:
            return signature_of(self.app, marked)

        send = lambda: as_ever(self.app, made(), call.args, call.kwargs, options)  # noqa: E731  # likewise
        return Ready(made().freeze(call.task_id), send, entries)

    def ended(self, claim: Claim) -> Ended | None:
        """See ``Way.ended``."""
        return ended_in_backend(self.app, claim.id)

    def cut_short(self, claim: Claim) -> bool:
        """See ``Way.cut_short``; work on Celery is not moved."""
        return False

    def look(self) -> list[str]:
        """See ``Way.look``."""
        return []

    def revoke(self, ids: list[str], *, terminate: bool) -> None:
        """See ``Way.revoke``."""
        from celery.app.control import Control

        unrouted(Control, "revoke")(self.app.control, ids, terminate=terminate)

    def close(self) -> None:
        """See ``Way.close``."""


def ended_in_backend(app: Any, task_id: str) -> Ended | None:
    """How a task has ended, by its stored result."""
    try:
        meta = app.backend.get_task_meta(task_id)
    except (NotThere, NotImplementedError):
        return None
    state = meta.get("status")
    if state not in celery_states.READY_STATES:
        return None
    done = meta.get("date_done")
    at = _seconds(done) if done else None
    return Ended(SUCCESS if state == celery_states.SUCCESS else FAILURE, at)


def _seconds(done: Any) -> float:
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(done) if isinstance(done, str) else done
    return float((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _marked(
    node: Node, task_id: str, token: Mapping[str, str], place: str, *, last: bool
) -> tuple[Node, int]:
    """The canvas with the token on every task that is sent at once, and how many those are.

    ``last``: the node has the id of the whole.
    """
    match node:
        case Chain(steps=steps) if steps:
            first, count = _marked(
                steps[0], task_id, token, f"{place}.0", last=last and len(steps) == 1
            )
            # A group before one of these is counted under its id.
            rest = [
                with_options(one, task_id=inner_id(task_id, f"{place}.{number}"))
                if isinstance(one, Leaf) and one.options.task_id is None and one is not steps[-1]
                else one
                for number, one in enumerate(steps)
            ]
            return replace(node, steps=(first, *rest[1:])), count
        case Group(members=members):
            several = [
                _marked(one, task_id, token, f"{place}.{number}", last=False)
                for number, one in enumerate(members)
            ]
            members = tuple(one for one, _ in several)
            return replace(node, members=members), sum(count for _, count in several)
        case Chord(header=header):
            group, count = _marked(header, task_id, token, f"{place}.h", last=False)
            assert isinstance(group, Group)  # noqa: S101  # as the header was
            marked: Node = replace(node, header=group)
            if node.options.task_id is None:
                # The id of the header's group: members of two attempts are counted together.
                marked = with_options(marked, task_id=inner_id(task_id, f"{place}.g"))
            return marked, count
        case _:
            extra: dict[str, Any] = dict(node.options.extra)
            headers = {**(extra.get("headers") or {}), HEADER: dict(token)}
            own = node.options.task_id or (None if last else inner_id(task_id, place))
            options = tuple(sorted({**extra, "headers": headers}.items()))
            return with_options(node, task_id=own, extra=options), 1
