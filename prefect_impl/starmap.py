"""One task walks over all stations: not parallel.

In Canvas: `generate_roll.starmap(pairs) | sum_pages`. A starmap is one message with all pairs in
it, run by one worker as one sequential loop, and repeated from the first pair if that worker is
lost.

Here: one task with the same loop. Beware of the name: Prefect's `task.map` is not Canvas's `map`.
It makes a task run for every item and runs them in parallel; that is Canvas's `group`, and
`chord_by_station` uses it.
"""

from __future__ import annotations

from prefect import flow

from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, rolls_one_by_one, sum_pages


@flow(name="starmap", **FLOW)
def starmap(run_id: str) -> int:
    """assign_all, then generate_roll.starmap(stations) | sum_pages."""
    stations = assign_all(run_id)
    pages = rolls_one_by_one(run_id, stations)
    return sum_pages(run_id, pages)
