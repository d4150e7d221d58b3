"""Flow runs whose worker is gone: they go back to the server, and go on in another worker.

A flow run lives in one process. If that is killed, the server goes on to say Running for ever.
Our workers therefore look, at every heartbeat of theirs, for flow runs in the hands of a worker
that has missed three.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, Worker
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import AwaitingRetry, Cancelled

from offcanvas.engines.prefect.job import TAG

log = logging.getLogger(__name__)

PAGE = 200
MISSED = 3


async def give_back_lost(client: PrefectClient, work_pool: str, me: str) -> list[FlowRun]:
    """Schedule the flow runs of lost workers again; returns them."""
    workers = await client.read_workers_for_work_pool(work_pool, offset=0, limit=PAGE)
    mine = next((worker for worker in workers if worker.name == me), None)
    if mine is None or mine.last_heartbeat_time is None:
        return []
    # The server's clock at this worker's last heartbeat, which is exact enough here.
    now = mine.last_heartbeat_time
    alive = {worker.name for worker in workers if _is_alive(worker, now)}
    silence = timedelta(seconds=MISSED * (mine.heartbeat_interval_seconds or 30))
    lost = [run for run in await _at_work(client, work_pool) if _is_lost(run, alive, now, silence)]
    for run in lost:
        gone = f"its worker {run.infrastructure_pid} is gone"
        log.warning("flow run %s: %s", run.name, gone)
        cancelling = run.state is not None and run.state.is_cancelling()
        then: State[None] = (Cancelled if cancelling else AwaitingRetry)(message=gone)
        await client.set_flow_run_state(run.id, then, force=True)
    return lost


def _is_alive(worker: Worker, now: datetime) -> bool:
    if worker.last_heartbeat_time is None:
        return False
    interval = worker.heartbeat_interval_seconds or 30
    return now - worker.last_heartbeat_time < timedelta(seconds=MISSED * interval)


def _is_lost(run: FlowRun, alive: Collection[str], now: datetime, silence: timedelta) -> bool:
    # A worker writes its name into the flow run a moment after the state: a young one says nothing.
    if run.state is None or now - run.state.timestamp < silence:
        return False
    return run.infrastructure_pid not in alive


async def _at_work(client: PrefectClient, work_pool: str) -> list[FlowRun]:
    types = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    return await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[TAG]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)),
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[work_pool])),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=PAGE,
    )
