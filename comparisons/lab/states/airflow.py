"""The state of the DAG run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_impl.api import Api, run_path, segment
from airflow_impl.names import ENGINE
from airflow_impl.registry import call_of
from shared import steps

VARIANT = "chord_by_station"


def shown(execution: str) -> str:
    """Its state, such as queued, running, success, failed."""
    api = Api()
    try:
        found = api.find(_path(execution))
    finally:
        api.close()
    return "no DAG run" if found is None else str(found["state"])


def abandon(execution: str) -> None:
    """Call it failed: the scheduler has the tasks that are at work ended."""
    api = Api()
    try:
        if api.find(_path(execution)) is not None:
            api.change(_path(execution), {"state": "failed"})
    finally:
        api.close()


def _path(execution: str) -> str:
    dag_id, _, run_id = execution.partition("/")
    return run_path(dag_id, run_id)


def start_later(run_id: str, seconds: float) -> str:
    """`chord_by_station`, to be run from a moment on; returns the key of the DAG run."""
    steps.begin_run(run_id, VARIANT, ENGINE)
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    api = Api()
    try:
        body = {
            "dag_run_id": run_id,
            "conf": call_of(VARIANT, run_id).parameters,
            "logical_date": None,
            "run_after": due.isoformat(),
        }
        api.create(f"/dags/{segment(VARIANT)}/dagRuns", body)
    finally:
        api.close()
    return f"{VARIANT}/{run_id}"
