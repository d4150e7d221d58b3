"""A group of tasks that only touch the database; nobody waits for it.

Database work is better optimised in the query (`assign_all`, one statement) than spread over
tasks that wait for each other's locks.

In Canvas: a group whose results are not collected. The messages are on their own once sent. Here:
mapped tasks with nothing after them. The scheduler waits for all of them and then ends the DAG run,
and the caller does not wait for the DAG run: when `start` returns, the metadata database has it.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_center, list_centers


@dag(**DAG)
def assign_stations_in_parallel() -> None:
    """group(assign_center per center); nothing: the stations are in the database."""
    assign_center.partial(run=RUN).expand(center_id=list_centers())


assign_stations_in_parallel()
