"""Database-sourced recovery: what the database says is missing is queued again.

A run can have been entered and never started (the caller died between its commit and its call of
the API server), its DAG run can have failed for good, a file can have vanished. The sweep looks at
what is missing and triggers `repair` for each such run. One that Airflow is still at work on is let
alone.

The clock is this DAG's schedule, kept by the scheduler. It is paused until `python -m airflow_impl
sweep` says that it is wanted. A sweep that was missed is not made up for (`catchup`), and there is
one at a time (`max_active_runs`).

In Canvas: Celery beat sends a task. Here the schedule is part of the DAG, which is what Airflow was
made for; every sweep is a row in the grid of its user interface.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Variable, dag, get_current_context, task

from airflow_impl.names import ENGINE, OLDER_THAN_VARIABLE, POOL
from airflow_impl.options import DAG
from airflow_impl.repairs import OPEN, REPAIR, repairs_of
from shared.recovery import OLDER_THAN


@task(pool=POOL)
def find_gaps() -> list[dict[str, Any]]:
    """The runs that lack something and stand still, each as the arguments of its trigger."""
    from shared import recovery

    older_than = float(Variable.get(OLDER_THAN_VARIABLE, default=OLDER_THAN))
    gaps = recovery.find_gaps(ENGINE, older_than)
    return [
        {"trigger_run_id": repair.dag_run_id, "conf": repair.parameters}
        for repair in repairs_of(gaps, _state_of)
    ]


def _state_of(dag_id: str, run_id: str) -> str | None:
    ti = get_current_context()["ti"]
    if not ti.get_dr_count(dag_id, run_ids=[run_id]):
        return None
    return OPEN[0] if ti.get_dr_count(dag_id, run_ids=[run_id], states=list(OPEN)) else "ended"


@dag(
    schedule=timedelta(seconds=OLDER_THAN),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=DAG["tags"],
)
def sweep() -> None:
    """find_gaps, then trigger repair for each."""
    TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id=REPAIR, skip_when_already_exists=True, pool=POOL
    ).expand_kwargs(find_gaps())


sweep()
