"""What metrics tell of Prefect as a whole: flow runs, workers, the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.client.schemas.objects import FlowRun, StateType

from prefect_impl.connection import connect
from prefect_impl.flow_runs import in_pool, live_workers
from prefect_impl.names import ENGINE, WORK_POOL, deployment_of
from shared import metrics
from shared.metrics.sight import Sight, Waiting
from shared.recovery import unfinished
from shared.settings import settings

_AT_WORK = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@contextmanager
def looker() -> Iterator[tuple[str, Callable[[], Sight]]]:
    """The look, for the metrics of `python -m prefect_impl watch`."""
    settings().required("prefect_api_url")
    meter = metrics.meter()
    if meter is not None:
        meter.knows(ENGINE, ())
    yield ENGINE, look


def look() -> Sight:
    """Ask the server, and the database.

    Raises:
        UsageError: the server does not answer.
    """
    with connect() as client:
        workers = live_workers(client)
        # The sweeps are in the pool as well: one that waits says that nobody serves it, but one
        # at work is not a canvas.
        waiting = [_due(run) for run in in_pool(client, StateType.SCHEDULED)]
        sweeps = client.read_deployment_by_name(deployment_of("sweep")).id if workers else None
        open_ = [run for run in in_pool(client, *_AT_WORK) if run.deployment_id != sweeps]
    now = time.time()
    late = [moment for moment in waiting if moment <= now]
    since = [run.start_time.timestamp() for run in open_ if run.start_time is not None]
    runs, unsent = unfinished(ENGINE)
    return Sight(
        queues={WORK_POOL: Waiting(len(late), min(late, default=None))},
        workers=len(workers),
        canvases=Waiting(len(open_), min(since, default=None)),
        runs=runs,
        unsent=unsent,
    )


def _due(run: FlowRun) -> float:
    expected = run.next_scheduled_start_time or run.expected_start_time
    return expected.timestamp() if expected else time.time()
