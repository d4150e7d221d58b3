"""What is reachable, which schedulers live, how much waits, what is stuck."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_impl.api import Api, import_errors
from airflow_impl.names import ENGINE
from shared.contract import Health
from shared.policy import STEP
from shared.settings import at_import

LATE_AFTER_SECONDS = 60.0
# Longer than any single step may take.
IDLE_AFTER_SECONDS = STEP.time_limit


def examine(api: Api) -> Health:
    """Ask the server."""
    now = time.time()
    waiting = _instances(api, "scheduled") + _instances(api, "queued")
    running = _instances(api, "running")
    late, long = LATE_AFTER_SECONDS, IDLE_AFTER_SECONDS
    stuck = [
        *(f"{name}: waits to be executed for {_since(row, 'scheduled_when', now):.0f} s"
          for name, row in _named(waiting) if _since(row, "scheduled_when", now) > late),
        *(f"{name}: at work for {_since(row, 'start_date', now):.0f} s"
          for name, row in _named(running) if _since(row, "start_date", now) > long),
        *(f"DAG does not import: {line}" for line in import_errors(api)),
    ]  # fmt: skip
    if api.get("/monitor/health")["dag_processor"]["status"] != "healthy":
        stuck.append("no DAG processor is alive: changed DAGs are not read")
    return Health(
        engine=ENGINE,
        reachable=True,
        detail=f"Airflow {api.get('/version')['version']} at {api.address}",
        workers=live_schedulers(api),
        queued=len(waiting),
        running=len(running),
        stuck=stuck,
    )


def live_schedulers(api: Api) -> list[str]:
    """The schedulers that have sent a heartbeat of late, as `host:job`."""
    jobs = api.pages("/jobs", "jobs", job_type="SchedulerJob", job_state="running")
    now, silent = time.time(), max(4.0, at_import().silent_after)
    return [
        f"{job['hostname']}:{job['id']}"
        for job in jobs
        if _since(job, "latest_heartbeat", now) <= silent
    ]


def _instances(api: Api, state: str) -> list[dict[str, Any]]:
    return list(api.pages("/dags/~/dagRuns/~/taskInstances", "task_instances", state=state))


def _named(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{row['dag_run_id']}/{row['task_id']}", row) for row in rows]


def _since(row: Mapping[str, Any], field: str, now: float) -> float:
    told = row[field]
    return now - datetime.fromisoformat(told).timestamp() if told else 0.0
