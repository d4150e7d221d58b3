"""The recommended shape: database work once, CPU work in even grains.

In Canvas: the caller assigns the stations, because the chord's header has to be known when it is
sent; then `group(generate_roll per station) | sum_pages`. Here the assignment is the DAG's first
task, and the scheduler makes a task instance for each station when the list is there. The list is
an XCom; one that is longer than `max_map_length` fails the task that has made it.

A chord counts its members in the result backend and the last one sends the body. Here the scheduler
looks at the rows of the members, once in a loop: no counter to lose, and nothing that has to stay
alive but the metadata database.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_all, generate_roll, sum_pages


@dag(**DAG)
def chord_by_station() -> None:
    """assign_all, then group(generate_roll per station) | sum_pages."""
    pages = generate_roll.partial(run=RUN).expand(station_id=assign_all(RUN))
    sum_pages(RUN, pages)


chord_by_station()
