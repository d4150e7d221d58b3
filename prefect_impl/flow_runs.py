"""Questions about flow runs: which belong to a run, which are open, which are lost."""

from __future__ import annotations

import time
from collections.abc import Collection

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError

from prefect_impl.names import HEARTBEAT_SECONDS, WORK_POOL, tag_of

PAGE = 200  # the server gives no more at a time
# The heartbeats of a worker that the server waits for in vain before it calls it offline.
SETTLED_AFTER_SECONDS = 3.0 * HEARTBEAT_SECONDS
# What a worker has taken bears its name by then, or the worker has been killed in between.
NAMED_AFTER_SECONDS = 2 * SETTLED_AFTER_SECONDS


def live_workers(client: SyncPrefectClient) -> list[str]:
    """The names of the workers that have sent a heartbeat of late."""
    try:
        workers = client.read_workers_for_work_pool(WORK_POOL, offset=0, limit=PAGE)
    except PrefectHTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:  # nothing registered yet
            return []
        raise
    return [worker.name for worker in workers if worker.status is WorkerStatus.ONLINE]


def in_pool(client: SyncPrefectClient, *types: StateType) -> list[FlowRun]:
    """All flow runs of our work pool that are in one of these states."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[WORK_POOL]))
    found: list[FlowRun] = []
    while page := client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=state),
        work_pool_filter=pool,
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=PAGE,
        offset=len(found),
    ):
        found += page
    return found


def of_run(client: SyncPrefectClient, run_id: str) -> list[FlowRun]:
    """A run's flow runs, the newest first, a page: its variant's, what that started, repairs."""
    tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[tag_of(run_id)]))
    return client.read_flow_runs(
        flow_run_filter=tagged, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=PAGE
    )


def is_open(run: FlowRun) -> bool:
    """Whether the flow run has not ended."""
    return run.state is None or not run.state.is_final()


def is_lost(run: FlowRun, workers: Collection[str], now: float | None = None) -> bool:
    """Whether the flow run is in the hands of a worker that is gone.

    Our worker writes its name into `infrastructure_pid`. It does so a moment after the states
    that only a worker sets, so a young state says nothing. On a busy machine it is a long moment.
    """
    if run.state_type not in {StateType.PENDING, StateType.RUNNING, StateType.CANCELLING}:
        return False
    if run.infrastructure_pid is None:
        return is_settled(run, now, NAMED_AFTER_SECONDS)
    return is_settled(run, now) and run.infrastructure_pid not in workers


def is_settled(
    run: FlowRun, now: float | None = None, after: float = SETTLED_AFTER_SECONDS
) -> bool:
    """Whether its state is old enough to be believed."""
    age = (now or time.time()) - (run.state.timestamp.timestamp() if run.state else 0.0)
    return age > after
