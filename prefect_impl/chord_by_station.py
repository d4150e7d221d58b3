"""The recommended shape: database work once, CPU work in even grains.

In Canvas: the caller assigns the stations, because the chord's header has to be known when it is
sent; then `group(generate_roll per station) | sum_pages`. Here the assignment is the flow's first
task: a flow decides as it goes along, and the caller only sends a run id.

A chord counts its members in the result backend and the last one sends the body. Here the flow
waits for its futures: no counter to lose, but a process that has to stay alive. If it is killed,
nobody goes on with the flow run; see `prefect_impl.sweep`.
"""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, generate_roll, sum_pages


@flow(name="chord_by_station", **FLOW)
def chord_by_station(run_id: str) -> int:
    """assign_all, then group(generate_roll per station) | sum_pages."""
    stations = assign_all(run_id)
    pages = join(generate_roll.map(unmapped(run_id), stations))
    return sum_pages(run_id, pages)
