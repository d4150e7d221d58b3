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

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.canvas.calls import TaskCall, TaskOutcome
from offcanvas.celery_app.persistence import make_persistent, persistently
from offcanvas.engines.processes import journal, process
from offcanvas.engines.processes.board import now

if TYPE_CHECKING:
    from celery import Celery


class OutOfDateError(Exception):
    """A task that was to begin has not: by the time it could, the server's word was too old."""


def run_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One attempt at a task, or what an earlier run of the flow has made of it."""
    app, call = process.open_call(raw)
    late = getattr(app.tasks.get(call.name), "acks_late", False)
    if raw["again"]:
        known = journal.ended(app, call, raw)
        if known is not None:
            return known.to_json()
        stored = app.backend.get_task_meta(call.task_id, cache=False)
        if not late and stored["status"] not in {states.PENDING, states.RETRY}:
            # STARTED, or a state of the task's own (self.update_state)
            return process.lose_task({**raw, "why": "the worker was lost while it ran the task"})
    process.storage_proven()
    if now() > raw.get("until", math.inf):
        raise OutOfDateError
    if not late:
        app.backend.store_result(call.task_id, None, states.STARTED)
    outcome = process.attempt(app, call, raw)
    if journal.is_ignored(app, call):
        _unmark(app, call)
    return outcome.to_json()


def fail_chord(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Fail a chord, unless an earlier run of the flow has done so."""
    app = process.app()
    make_persistent(app.backend)
    if raw["again"]:
        known = journal.read(app, raw["entry"])
        if known is not None:
            return known.to_json()
    outcome = process.fail_chord(raw)
    journal.keep_always(app, raw["entry"], TaskOutcome.from_json(outcome))
    return outcome


def _unmark(app: Celery, call: TaskCall) -> None:
    # Nobody will store a result over the mark, but for store_errors_even_if_ignored.
    if app.backend.get_task_meta(call.task_id, cache=False)["status"] == states.STARTED:
        with suppress(NotImplementedError):
            persistently(app.backend, lambda: app.backend.forget(call.task_id))
