"""What metrics tell of Airflow as a whole: DAG runs, schedulers, the queue, the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from airflow_impl.api import Api
from airflow_impl.health import live_schedulers
from airflow_impl.names import ENGINE, POOL
from shared import metrics
from shared.metrics.sight import Sight, Waiting
from shared.recovery import unfinished
from shared.settings import settings

SWEEP = "sweep"  # at work on no canvas


@contextmanager
def looker() -> Iterator[tuple[str, Callable[[], Sight]]]:
    """The look, for the metrics of `python -m airflow_impl watch`."""
    settings().required("airflow_api_url")
    meter = metrics.meter()
    if meter is not None:
        meter.knows(ENGINE, ())
    yield ENGINE, look


def look() -> Sight:
    """Ask the server, and the database.

    Raises:
        UsageError: the server does not answer.
    """
    api = Api()
    try:
        waiting = [
            row
            for state in ("scheduled", "queued")
            for row in api.pages(
                "/dags/~/dagRuns/~/taskInstances", "task_instances", state=state, pool=POOL
            )
        ]
        open_ = [
            run
            for run in api.pages("/dags/~/dagRuns", "dag_runs", state="running")
            if run["dag_id"] != SWEEP
        ]
        workers = live_schedulers(api)
    finally:
        api.close()
    runs, unsent = unfinished(ENGINE)
    return Sight(
        queues={POOL: _waiting(waiting, "scheduled_when")},
        workers=len(workers),
        canvases=_waiting(open_, "start_date"),
        runs=runs,
        unsent=unsent,
    )


def _waiting(rows: Sequence[dict[str, Any]], field: str) -> Waiting:
    since = [datetime.fromisoformat(row[field]).timestamp() for row in rows if row[field]]
    return Waiting(len(rows), min(since, default=None))
