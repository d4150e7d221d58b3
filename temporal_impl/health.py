"""What is reachable, which workers live, how deep the queue is, what is stuck.

The pollers of a task queue do not tell whether a worker lives: one that was killed stays listed
for minutes. Workers of SDK 1.20 and later send heartbeats of their own, which the server lists
(ListWorkers); where it cannot, the pollers have to do, and the detail says so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListWorkersRequest,
)
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from shared.contract import Health
from temporal_impl.options import TASK_QUEUE, WORKER_HEARTBEAT

# A worker that has missed three heartbeats is gone.
SILENT_AFTER = 3 * WORKER_HEARTBEAT
# Longer than the longest step may take, so that a workflow this old waits for something else.
STUCK_AFTER = timedelta(hours=2)
# A workflow task is tried again until the code is mended; the first failures may be a restart.
STUCK_ATTEMPTS = 3
# Open workflows that are looked at one by one.
LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class _Workers:
    alive: tuple[str, ...]
    busy_slots: int | None
    source: str


async def examine(client: Client) -> Health:
    """Ask the server; an answer that it refuses is part of the detail, not an error."""
    try:
        queues = await describe_queues(client)
        workers = await _workers(client, queues)
        stuck = await _stuck(client)
    except RPCError as error:
        return Health(
            engine="temporal",
            reachable=False,
            detail=f"{client.service_client.config.target_host}: {error.message}",
        )
    return Health(
        engine="temporal",
        reachable=True,
        detail=f"namespace {client.namespace}, queue {TASK_QUEUE}, workers by {workers.source}",
        workers=workers.alive,
        queued=sum(queue.stats.approximate_backlog_count for queue in queues),
        running=workers.busy_slots,
        stuck=tuple(stuck),
    )


_KINDS = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


async def describe_queues(client: Client) -> list[DescribeTaskQueueResponse]:
    """What waits for workflows, and what for activities."""
    return [await _describe(client, kind) for kind in _KINDS]


async def live_workers(
    client: Client, queues: Sequence[DescribeTaskQueueResponse]
) -> tuple[str, ...]:
    """The workers that live."""
    return (await _workers(client, queues)).alive


async def _describe(client: Client, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=kind,
            report_stats=True,
        )
    )


async def _workers(client: Client, queues: Sequence[DescribeTaskQueueResponse]) -> _Workers:
    polled_at = {
        poller.identity: poller.last_access_time.seconds
        for queue in queues
        for poller in queue.pollers
    }
    try:
        listed = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.UNIMPLEMENTED:
            raise
        return _Workers(tuple(sorted(polled_at)), None, "pollers (minutes old)")
    heartbeats = [
        info.worker_heartbeat
        for info in listed.workers_info
        if info.worker_heartbeat.task_queue == TASK_QUEUE
    ]
    alive = [heartbeat for heartbeat in heartbeats if _is_alive(heartbeat)]
    # One that has just started has polled, but has not sent its first heartbeat yet.
    known = {heartbeat.worker_identity for heartbeat in heartbeats}
    new = {
        identity
        for identity, at in polled_at.items()
        if identity not in known and time.time() - at < SILENT_AFTER.total_seconds()
    }
    return _Workers(
        alive=tuple(sorted({heartbeat.worker_identity for heartbeat in alive} | new)),
        busy_slots=sum(
            heartbeat.activity_task_slots_info.current_used_slots for heartbeat in alive
        ),
        source="heartbeat",
    )


def _is_alive(heartbeat: WorkerHeartbeat) -> bool:
    silent = time.time() - heartbeat.heartbeat_time.seconds
    return (
        heartbeat.status == WorkerStatus.WORKER_STATUS_RUNNING
        and silent < SILENT_AFTER.total_seconds()
    )


async def _stuck(client: Client) -> list[str]:
    """Workflows that are open for too long, or whose workflow task fails again and again.

    Of our queue: a namespace may be shared with others.
    """
    stuck = []
    ours = f"ExecutionStatus = 'Running' AND TaskQueue = '{TASK_QUEUE}'"
    async for workflow in client.list_workflows(ours, limit=LOOKED_AT):
        reason = await _why_stuck(client, workflow)
        if reason:
            stuck.append(f"{workflow.id}: {reason}")
    return stuck


async def _why_stuck(client: Client, workflow: WorkflowExecution) -> str | None:
    try:
        handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        described = (await handle.describe()).raw_description
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # it has ended and is already forgotten
            return None
        raise
    attempt = described.pending_workflow_task.attempt
    if attempt >= STUCK_ATTEMPTS:
        return f"its workflow task has failed {attempt - 1} times"
    age = datetime.now(UTC) - workflow.start_time
    if age > STUCK_AFTER:
        return f"open for {age.total_seconds() / 3600:.1f} hours"
    return None
