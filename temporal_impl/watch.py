"""What metrics tell of Temporal as a whole: the task queue, workers, workflows, the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from temporalio.client import Client as TemporalClient

from shared import metrics
from shared.metrics.sight import Sight, Waiting
from shared.recovery import unfinished
from shared.settings import settings
from temporal_impl.client import ENGINE, Client
from temporal_impl.health import describe_queues, live_workers
from temporal_impl.options import TASK_QUEUE

# Open workflows that are looked at for the oldest; the server lists the newest first.
_LISTED = 1_000
# The sweep's workflow and those that only ask whether a worker is there hold no work.
_OURS = (
    f"ExecutionStatus = 'Running' AND TaskQueue = '{TASK_QUEUE}' "
    "AND WorkflowType != 'sweep' AND WorkflowType != 'ready'"
)


@contextmanager
def looker() -> Iterator[tuple[str, Callable[[], Sight]]]:
    """The look, for the metrics of `python -m temporal_impl watch`."""
    settings().required("temporal_address")
    meter = metrics.meter()
    if meter is not None:
        meter.knows(ENGINE, ())
    client = Client()
    try:
        yield ENGINE, lambda: client.ask(look, within=30.0)
    finally:
        client.close()


async def look(client: TemporalClient) -> Sight:
    """Ask the server, and the database.

    Raises:
        RPCError: the server does not answer.
    """
    queues = await describe_queues(client)
    workers = await live_workers(client, queues)
    now = time.time()
    waiting = sum(queue.stats.approximate_backlog_count for queue in queues)
    oldest = max(
        queue.stats.approximate_backlog_age.ToTimedelta().total_seconds() for queue in queues
    )
    runs, unsent = unfinished(ENGINE)
    return Sight(
        queues={TASK_QUEUE: Waiting(waiting, now - oldest if waiting else None)},
        workers=len(workers),
        canvases=await _open(client),
        runs=runs,
        unsent=unsent,
    )


async def _open(client: TemporalClient) -> Waiting:
    count = (await client.count_workflows(_OURS)).count
    if not count:
        return Waiting(0)
    started = [
        workflow.start_time.timestamp()
        async for workflow in client.list_workflows(_OURS, limit=_LISTED)
    ]
    return Waiting(count, min(started, default=None))
