"""One task walks over all stations: not parallel.

In Canvas: `generate_roll.starmap(pairs) | sum_pages`. A starmap is one message with all pairs in
it, run by one worker as one sequential loop, and repeated from the first pair if that worker is
lost.

Here: one task with the same loop. Beware of the names: what `expand` makes of a list is a task
instance for every item, in parallel as far as the pool goes; that is Canvas's `group`, and
`chord_by_station` uses it. `expand_kwargs` takes a list of argument lists, which looks most like a
starmap, and is as parallel as `expand`.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_impl.names import RUN
from airflow_impl.options import DAG
from airflow_impl.tasks import assign_all, rolls_one_by_one, sum_pages


@dag(**DAG)
def starmap() -> None:
    """assign_all, then generate_roll.starmap(stations) | sum_pages."""
    pages = rolls_one_by_one(RUN, assign_all(RUN))
    sum_pages(RUN, pages)


starmap()
