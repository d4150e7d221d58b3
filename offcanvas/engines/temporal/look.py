"""What metrics tell of Temporal as a whole: task queue, workers, canvases that are open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse

from offcanvas.engines.temporal.job import WORKFLOW
from offcanvas.engines.temporal.lone import offered
from offcanvas.metrics.sight import Sight, Waiting

if TYPE_CHECKING:
    from temporalio.client import Client

#: A worker asks again after a minute at the latest, and is listed for minutes when it is gone.
_POLLED_WITHIN = 70.0
#: Open canvases that are looked at for the oldest; the server lists the newest first.
_LISTED = 1_000


async def look(client: Client, task_queue: str) -> Sight:
    """Ask the server.

    Raises:
        RPCError: it does not answer.
    """
    workflows = await _described(client, task_queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
    tasks = await _described(client, task_queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
    now = time.time()
    waiting = workflows.stats.approximate_backlog_count + tasks.stats.approximate_backlog_count
    oldest = max(
        one.stats.approximate_backlog_age.ToTimedelta().total_seconds()
        for one in (workflows, tasks)
    )
    alive = {
        poller.identity
        for one in (workflows, tasks)
        for poller in one.pollers
        if now - poller.last_access_time.ToDatetime().timestamp() < _POLLED_WITHIN
    }
    return Sight(
        queues={task_queue: Waiting(waiting, now - oldest if waiting else None)},
        workers=len(alive),
        canvases=await _open(client, task_queue),
    )


async def _described(
    client: Client, task_queue: str, kind: TaskQueueType.ValueType
) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=kind,
            report_stats=True,
        )
    )


async def _open(client: Client, task_queue: str) -> Waiting:
    ours = (
        f"ExecutionStatus = 'Running' AND WorkflowType = '{WORKFLOW}' "
        f"AND TaskQueue = '{task_queue}'"
    )
    count = (await client.count_workflows(ours)).count
    started: list[float] = []
    if count:
        started = [
            workflow.start_time.timestamp()
            async for workflow in client.list_workflows(ours, limit=_LISTED)
        ]
    if await offered(client):
        # Tasks that were sent alone and have no workflow.
        alone = f"ExecutionStatus = 'Running' AND TaskQueue = '{task_queue}'"
        lone = (await client.count_activities(alone)).count
        count += lone
        if lone:
            listed = client.list_activities(alone, limit=_LISTED)
            started += [one.schedule_time.timestamp() async for one in listed]
    return Waiting(count, min(started, default=None))
