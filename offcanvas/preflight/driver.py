"""What drivers that only count have in common: tasks end well, with values as large as is said."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from offcanvas.canvas.calls import (
    SUCCESS,
    Branch,
    ChordFailure,
    Context,
    ErrorWire,
    TaskCall,
    TaskOutcome,
)
from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Value
from offcanvas.canvas.planner import Call, Planner
from offcanvas.celery_app.freezing import Freezer
from offcanvas.celery_app.planning import opaque
from offcanvas.engines.processes.reference import LARGE

if TYPE_CHECKING:
    from celery import Celery

#: Bytes of the result of a task, as JSON, by its call.
ResultSize: TypeAlias = Callable[[TaskCall], int]


class Counting:
    """Part of a `walker.Driver`."""

    def __init__(self, app: Celery, size: ResultSize) -> None:
        self.app = app
        self.size = size

    def outcome(self, call: TaskCall) -> TaskOutcome:
        """What a task comes to that ends well: its value, and what its callbacks start."""
        value = _value(self.size(call), call.task_id)
        links = call.signature["options"].get("link") or ()
        spawned = tuple(self._tree(link, value, call).to_json() for link in links)
        return TaskOutcome(SUCCESS, value=value, spawned=spawned)

    def _tree(self, link: Any, value: Value, call: TaskCall) -> Branch:
        signature = lift(link)
        planned = Planner().plan(signature, Call(args=() if signature.immutable else (value,)))
        node, _ = Freezer(self.app).freeze(opaque(self.app, planned))
        return Branch(node, context=Context(root_id=call.root_id, parent_id=call.task_id))

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """Never called: nothing fails."""
        raise NotImplementedError(str(failure))

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """Never called: nothing fails."""
        raise NotImplementedError(str(error))


def _value(size: int, task_id: str) -> Value:
    """JSON of so many bytes, or where it stands if it is left in the result backend."""
    if size > LARGE:
        return {"__offcanvas_result__": task_id}
    if size <= len("null"):
        return None
    # Compressed, it comes to about half, as most text does.
    return hashlib.shake_128(task_id.encode()).hexdigest(size // 2)[: size - 2]
