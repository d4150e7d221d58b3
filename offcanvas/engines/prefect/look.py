"""What metrics tell of Prefect as a whole: flow runs that wait, workers, canvases that are open."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType, WorkerStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError

from offcanvas.metrics.sight import Sight, Waiting

_AT_WORK = (StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)


def look(client: SyncPrefectClient, work_pool: str) -> Sight:
    """Ask the server.

    Raises:
        httpx.HTTPError: it does not answer.
    """
    due = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC))
    return Sight(
        queues={work_pool: _of(client, work_pool, StateType.SCHEDULED, expected_start_time=due)},
        workers=_workers(client, work_pool),
        canvases=_of(client, work_pool, *_AT_WORK),
    )


def _of(client: SyncPrefectClient, work_pool: str, *types: StateType, **further: Any) -> Waiting:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
    given: dict[str, Any] = {
        "flow_run_filter": FlowRunFilter(state=state, **further),
        "work_pool_filter": WorkPoolFilter(name=WorkPoolFilterName(any_=[work_pool])),
    }
    count = client.count_flow_runs(**given)
    if not count:
        return Waiting(0)
    oldest = client.read_flow_runs(**given, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=1)
    moments = [run.expected_start_time or run.created for run in oldest]
    return Waiting(count, min((one.timestamp() for one in moments if one), default=time.time()))


def _workers(client: SyncPrefectClient, work_pool: str) -> int:
    try:
        workers = client.read_workers_for_work_pool(work_pool)
    except PrefectHTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:  # nothing is deployed yet
            return 0
        raise
    return sum(worker.status is WorkerStatus.ONLINE for worker in workers)
