"""One task loops over every center and every station.

The shortest way, and brittle: nothing runs beside it.

In Canvas: a single task. Here: a DAG with a single task. In both, a failure in the middle starts
from the first center again: a task instance is retried as a whole.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import everything


@dag(**DAG)
def all_in_one() -> None:
    """everything; its XCom is the sum of the pages."""
    everything(RUN)


all_in_one()
