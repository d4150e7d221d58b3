"""The middle way between `starmap` and one task per station: one task for five stations.

In Canvas: `generate_roll.chunks(pairs, 5).group() | sum_pages`; each chunk is a starmap of its
own, and its result a list. Here: one task per chunk; the lists are joined before the fan-in. A
chunk that is retried starts from its first station again, in both.
"""

from __future__ import annotations

from prefect import flow, unmapped

from prefect_impl.fan_out import join
from prefect_impl.options import FLOW
from prefect_impl.tasks import assign_all, rolls_of_chunk, sum_pages

CHUNK_SIZE = 5


@flow(name="chunks", **FLOW)
def chunks(run_id: str) -> int:
    """assign_all, then generate_roll.chunks(stations, 5).group() | sum_pages."""
    stations = assign_all(run_id)
    members = [
        stations[start : start + CHUNK_SIZE] for start in range(0, len(stations), CHUNK_SIZE)
    ]
    parts = join(rolls_of_chunk.map(unmapped(run_id), members))
    pages = [page_count for part in parts for page_count in part]
    return sum_pages(run_id, pages)
