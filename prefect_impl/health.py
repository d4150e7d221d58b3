"""What is reachable, which workers answer, how much waits, what is stuck.

A served flow cannot be pinged. A worker sends heartbeats to its work pool, every five seconds here,
and the server calls it online until three are missing.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from prefect_impl.flow_runs import in_pool, is_lost, live_workers
from prefect_impl.names import ENGINE
from shared.contract import Health
from shared.database import transaction
from shared.errors import UsageError
from shared.models import Effect, Run
from shared.policy import STEP
from shared.variants import BY_NAME

LATE_AFTER_SECONDS = 60.0
# Longer than any single step may take.
IDLE_AFTER_SECONDS = STEP.time_limit


def examine(client: SyncPrefectClient) -> Health:
    """Ask the server."""
    workers = live_workers(client)
    now = time.time()
    waiting = [run for run in in_pool(client, StateType.SCHEDULED) if _due(run, now) >= 0]
    at_work = in_pool(client, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
    unread = ""
    try:
        idle = _idle(at_work, workers, now)
    except (SQLAlchemyError, UsageError) as error:
        idle, unread = [], f"; the ledger was not looked at: {' '.join(str(error).split())}"
    return Health(
        engine=ENGINE,
        reachable=True,
        detail=f"Prefect server {client.api_version()} at {client.api_url}{unread}",
        workers=workers,
        queued=len(waiting),
        running=len(at_work),
        stuck=[*_late(waiting, now), *_lost(at_work, workers, now), *idle],
    )


def _due(run: FlowRun, now: float) -> float:
    """For how many seconds the flow run could have been at work; negative if it is yet to come."""
    expected = run.next_scheduled_start_time or run.expected_start_time
    return now - expected.timestamp() if expected else 0.0


def _late(waiting: Collection[FlowRun], now: float) -> list[str]:
    return [
        f"{run.name}: waits to be executed for {_due(run, now):.0f} s"
        for run in waiting
        if _due(run, now) > LATE_AFTER_SECONDS
    ]


def _lost(at_work: Collection[FlowRun], workers: Collection[str], now: float) -> list[str]:
    return [
        f"{run.name}: {run.state_name}, but its worker {run.infrastructure_pid or '?'} is gone"
        for run in at_work
        if is_lost(run, workers, now)
    ]


def _idle(at_work: Collection[FlowRun], workers: Collection[str], now: float) -> list[str]:
    """Flow runs in the hands of a live worker that have long left no effect in the ledger."""
    held = {
        run.name: now - run.start_time.timestamp()
        for run in at_work
        if run.start_time is not None and not is_lost(run, workers, now)
    }
    long_held = {name: since for name, since in held.items() if since > IDLE_AFTER_SECONDS}
    if not long_held:
        return []
    query = (
        select(Run.run_id, func.max(Effect.finished_at))
        .outerjoin(Effect, Effect.run_id == Run.run_id)
        .where(Run.run_id.in_(long_held), Run.variant.in_(BY_NAME))  # workloads leave no effects
        .group_by(Run.run_id)
    )
    with transaction(read_only=True) as session:
        last = {row[0]: row[1] for row in session.execute(query)}
    return [
        f"{name}: at work for {long_held[name]:.0f} s, without an effect of late"
        for name, effect in last.items()
        if effect is None or now - effect > IDLE_AFTER_SECONDS
    ]
