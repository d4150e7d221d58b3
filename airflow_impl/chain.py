"""Sequential dependency: each step begins when the one before it has ended.

In Canvas: `assign | generate | sum_pages | publish`, where a member gets its predecessor's
result as first argument unless its signature is immutable (`.si`). Here: what is passed on is an
argument, and makes an arrow by itself; where nothing is passed on, `>>` makes one.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_all, publish_summary, rolls_one_by_one, sum_pages


@dag(**DAG)
def chain() -> None:
    """assign_all | rolls_one_by_one | sum_pages | publish_summary."""
    pages = rolls_one_by_one(RUN, assign_all(RUN))
    sum_pages(RUN, pages) >> publish_summary(RUN)


chain()
