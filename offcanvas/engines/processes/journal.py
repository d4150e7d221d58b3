"""What has happened to a task, for those who were not told.

A worker can be lost after a task has ended and before anybody has heard of it. Its state and result
are in the result backend, as ever. What a state cannot tell (retries, replacements, canvases that
the task has started) is kept as an entry of the journal: a result of its own name.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from celery import states

from offcanvas.canvas.calls import FAILURE, REVOKED, SUCCESS, TaskCall, TaskOutcome, aware
from offcanvas.celery_app.values import error_wire, to_wire
from offcanvas.engines.processes.reference import shortened

if TYPE_CHECKING:
    from celery import Celery

#: By how much the clocks of a worker and of the server may differ.
_CLOCKS = timedelta(seconds=60)


def keep(app: Celery, entry: str, call: TaskCall, outcome: TaskOutcome) -> None:
    """Write an entry for what the result backend does not know otherwise."""
    if is_ignored(app, call) or _is_more_than_a_state(outcome):
        keep_always(app, entry, outcome)


def keep_always(app: Celery, entry: str, outcome: TaskOutcome) -> None:
    """Write an entry."""
    app.backend.store_result(entry, outcome.to_json(), states.SUCCESS)


def read(app: Celery, entry: str) -> TaskOutcome | None:
    """The entry of this name, if there is one."""
    stored = app.backend.get_task_meta(entry, cache=False)
    return TaskOutcome.from_json(stored["result"]) if stored["status"] == states.SUCCESS else None


def revoked_name(entry: str) -> str:
    """The entry that says that an attempt was revoked while it ran."""
    return str(uuid.uuid5(uuid.UUID(entry), "revoked"))


def ended(app: Celery, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome | None:
    """What the attempt came to that has ``raw["entry"]``, None if it has not ended.

    A state that is older than ``raw["since"]``, if that is given, is that of an earlier task with
    the same id.
    """
    known = read(app, raw["entry"])
    if known is not None:
        return known
    stored = app.backend.get_task_meta(call.task_id, cache=False)
    if _is_older(stored, raw.get("since")):
        return None
    match stored["status"]:
        case states.SUCCESS:
            value = to_wire(app.backend.prepare_value(stored["result"]), app)
            return shortened(app, call, TaskOutcome(SUCCESS, value=value), call)
        case states.FAILURE:
            failed = TaskOutcome(FAILURE, error=error_wire(app, stored["result"]))
            return shortened(app, call, failed, call)
        case states.REVOKED:
            return TaskOutcome(REVOKED, error=error_wire(app, stored["result"]))
        case _:
            return None


def is_ignored(app: Celery, call: TaskCall) -> bool:
    """Whether nobody will store a result of this task."""
    task = app.tasks.get(call.name)
    return task is None or bool(call.signature["options"].get("ignore_result", task.ignore_result))


def _is_more_than_a_state(outcome: TaskOutcome) -> bool:
    ended = outcome.state in {SUCCESS, FAILURE, REVOKED}
    sent = outcome.spawned or outcome.parts or outcome.revoked or outcome.retries
    return not ended or bool(sent) or outcome.rest is not None


def _is_older(stored: Mapping[str, Any], since: float | None) -> bool:
    done = stored.get("date_done")
    if since is None or done is None:
        return False
    moment = aware(done if isinstance(done, str) else done.isoformat())
    return moment + _CLOCKS < datetime.fromtimestamp(since, UTC)
