"""Fan-out and fan-in with uneven grains: one task per polling center.

In Canvas: `group(one center) | sum_pages`. Here: a task mapped over the list of another, and the
fan-in as the task that takes the results. An empty list maps over nothing, and the mapped task is
skipped: the fan-in runs by its trigger rule, `none_failed`, where Celery has an empty chord.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import list_centers, rolls_of_center, sum_pages


@dag(**DAG)
def chord_by_center() -> None:
    """group(rolls_of_center per center) | sum_pages."""
    pages = rolls_of_center.partial(run=RUN).expand(center_id=list_centers())
    sum_pages(RUN, pages)


chord_by_center()
