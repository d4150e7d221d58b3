"""Fire and forget: nobody collects the results.

In Canvas: a plain group; the caller goes on when the messages are sent. Mapped tasks are part of
their DAG run, which ends when they have. What can be left alone is another DAG run. So this one
hands its members over to `rolls` and ends as soon as the metadata database has that, and that is
what the caller can wait for.

A roll that fails for good fails `rolls` once all siblings have run; nobody is told, but it stays
visible as a failed DAG run, which Celery's lost result is not.
"""

from __future__ import annotations

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag

from airflow_impl.names import POOL, RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_all, generate_roll, list_stations


@dag(**DAG)
def rolls() -> None:
    """group(generate_roll per station): the run's stations, as the database has them."""
    generate_roll.partial(run=RUN).expand(station_id=list_stations(RUN))


@dag(**DAG)
def group() -> None:
    """assign_all, then hand over group(generate_roll per station)."""
    hand_over = TriggerDagRunOperator(
        task_id="hand_over",
        trigger_dag_id="rolls",
        trigger_run_id=RUN,
        conf={"run_id": RUN},
        skip_when_already_exists=True,
        pool=POOL,
    )
    assign_all(RUN) >> hand_over


rolls()
group()
