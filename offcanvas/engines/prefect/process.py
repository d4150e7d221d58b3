"""What happens in a process of the pool, for Prefect: a task, and a journal of what has happened.

A flow run whose worker was killed is run again from its beginning, by another worker. What the
result backend knows tells the second run what the first has done:

* before a task begins, its state is STARTED (as with Celery's ``task_track_started``), but for one
  with ``acks_late``, which runs again whether it had begun or not;
* a task that has ended has its state and result there, as ever;
* what a state cannot tell (retries, replacements, canvases that the task has started) is kept as
  an entry of the journal, which is a result of its own name.

So a second run takes what has ended as it ended, and begins what had not begun. A task that had
begun is lost: WorkerLostError, unless it has ``acks_late`` and therefore runs again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.engines import task_runtime
from offcanvas.engines.processes import process
from offcanvas.engines.processes.reference import resolved, shortened
from offcanvas.engines.values import error_wire, to_wire
from offcanvas.engines.walker import (
    FAILURE,
    REVOKED,
    SUCCESS,
    ChordFailure,
    TaskCall,
    TaskOutcome,
)

if TYPE_CHECKING:
    from celery import Celery


def run_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One attempt at a task, or what an earlier run of the flow has made of it."""
    app, call = process.app(), TaskCall.from_json(raw["call"])
    if raw["again"]:
        known = _recalled(app, call, raw)
        if known is not None:
            return known.to_json()
    task = app.tasks.get(call.name)
    ignored = task is None or call.signature["options"].get("ignore_result", task.ignore_result)
    if not getattr(task, "acks_late", False):
        app.backend.store_result(call.task_id, None, states.STARTED)
    # The task sees what it was called with, the journal what stands for it.
    full = resolved(app, call)
    outcome = task_runtime.run_task(app, full, strict=raw["strict"], killed=True)
    outcome = shortened(app, call, outcome)
    if ignored or _is_more_than_a_state(outcome):
        _keep(app, raw["entry"], outcome)
    if ignored:
        _unmark(app, call)
    return outcome.to_json()


def fail_chord(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Fail a chord, unless an earlier run of the flow has done so."""
    app = process.app()
    if raw["again"]:
        known = _entry(app, raw["entry"])
        if known is not None:
            return known.to_json()
    failure = ChordFailure.from_json(raw["failure"])
    outcome = task_runtime.fail_chord(app, failure, strict=raw["strict"])
    _keep(app, raw["entry"], outcome)
    return outcome.to_json()


def _recalled(app: Celery, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome | None:
    known = _entry(app, raw["entry"])
    if known is not None:
        return known
    stored = app.backend.get_task_meta(call.task_id, cache=False)
    match stored["status"]:
        case states.SUCCESS:
            value = to_wire(app.backend.prepare_value(stored["result"]))
            return shortened(app, call, TaskOutcome(SUCCESS, value=value))
        case states.FAILURE:
            return TaskOutcome(FAILURE, error=error_wire(app, stored["result"]))
        case states.REVOKED:
            return TaskOutcome(REVOKED, error=error_wire(app, stored["result"]))
        case states.PENDING | states.RETRY:
            return None
        case _ if getattr(app.tasks.get(call.name), "acks_late", False):
            return None
        case _:  # STARTED, or a state of the task's own (self.update_state)
            lost = {**raw, "why": "the worker was lost while it ran the task"}
            return TaskOutcome.from_json(process.lose_task(lost))


def _is_more_than_a_state(outcome: TaskOutcome) -> bool:
    ended = outcome.state in {SUCCESS, FAILURE, REVOKED}
    return not ended or bool(outcome.spawned or outcome.parts or outcome.revoked)


def _keep(app: Celery, entry: str, outcome: TaskOutcome) -> None:
    app.backend.store_result(entry, outcome.to_json(), states.SUCCESS)


def _entry(app: Celery, entry: str) -> TaskOutcome | None:
    stored = app.backend.get_task_meta(entry, cache=False)
    return TaskOutcome.from_json(stored["result"]) if stored["status"] == states.SUCCESS else None


def _unmark(app: Celery, call: TaskCall) -> None:
    # Nobody will store a result over the mark.
    with suppress(NotImplementedError):
        app.backend.forget(call.task_id)
