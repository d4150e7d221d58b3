"""Who did what when, from the histories of a workflow and of its children.

The server writes ActivityTaskStarted together with the end of the activity, and only for the last
attempt: earlier attempts are counted (`attempt`), but have no times of their own. The times are
the server's: an activity starts when the server gives it to a worker, and is finished when the
answer has arrived.

A history names the worker, not which of its processes it was. A worker runs N activities at a
time, so those that overlap are laid onto lanes: `<worker>#1` to `<worker>#N`. The process id of a
step is in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from shared.contract import TaskSpan
from shared.lanes import on_lanes
from shared.ledger import WHOLE_RUN

_ENDS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}


async def read_spans(client: Client, workflow_id: str, run_id: str | None = None) -> list[TaskSpan]:
    """Every executed activity of the workflow and of the workflows it started, by start."""
    return on_lanes(await _collect(client, workflow_id, run_id))


async def _collect(client: Client, workflow_id: str, run_id: str | None) -> list[TaskSpan]:
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    spans = list(spans_of(history.events))
    for child in _children(history.events):
        spans += await _collect(client, *child)
    return spans


def spans_of(events: Sequence[HistoryEvent]) -> Iterator[TaskSpan]:
    """The activities of one history that have ended, in the order of their ends."""
    by_id = {event.event_id: event for event in events}
    for event in events:
        if event.event_type not in _ENDS:
            continue
        end = getattr(event, _ENDS[event.event_type])
        if not end.started_event_id:  # it waited until its time was over: nothing was executed
            continue
        scheduled = by_id[end.scheduled_event_id]
        started = by_id[end.started_event_id]
        what = scheduled.activity_task_scheduled_event_attributes
        who = started.activity_task_started_event_attributes
        yield TaskSpan(
            task=what.activity_type.name,
            item=item_of([json.loads(payload.data) for payload in what.input.payloads]),
            worker=who.identity,
            queued_at=_seconds(scheduled),
            started_at=_seconds(started),
            finished_at=_seconds(event),
            attempt=who.attempt,
        )


def item_of(arguments: Sequence[Any]) -> str:
    """What an activity was about, from its input: a station, a center, `first..last`, or `*`."""
    message = arguments[0] if arguments else None
    if not isinstance(message, Mapping):
        return WHOLE_RUN if message is None else str(message)
    stations = message.get("station_ids")
    if stations:
        return f"{stations[0]}..{stations[-1]}"
    return str(message.get("station_id") or message.get("center_id") or WHOLE_RUN)


def _children(events: Sequence[HistoryEvent]) -> Iterator[tuple[str, str]]:
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            yield child.workflow_id, child.run_id


def _seconds(event: HistoryEvent) -> float:
    return event.event_time.seconds + event.event_time.nanos / 1e9
