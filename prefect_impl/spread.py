"""`chord_by_station` on all workers of the pool, on however many machines.

How it is done is in `prefect_impl.slices`. The same steps and the same answer; `SPREAD=N` has the
caller start this flow in the place of `chord_by_station`, with N stations a slice. Each slice costs
what a flow run does, a dozen requests to the server, so that slices are to be large: seconds of
work. In Canvas nothing of this is needed: a group's messages are taken by any worker.
"""

from __future__ import annotations

from functools import partial

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.slices import in_slices, is_mine
from prefect_impl.tasks import assign_all, generate_roll, sum_pages


@flow(name="spread", **FLOW)
def spread(run_id: str, size: int) -> int:
    """assign_all, then group(generate_roll per station) | sum_pages, `size` stations a slice."""
    stations = assign_all(run_id)
    pages = in_slices("rolls_of_slice", run_id, stations, size, partial(_rolls, run_id))
    return sum_pages(run_id, pages)


@flow(name="rolls_of_slice", persist_result=True)
def rolls_of_slice(run_id: str, members: list[str]) -> list[int] | None:
    """group(generate_roll per station of the slice), unless the flow that has the rest does it."""
    return _rolls(run_id, members) if is_mine() else None


def _rolls(run_id: str, stations: list[str]) -> list[int]:
    return join(generate_roll.map(unmapped(run_id), stations))
