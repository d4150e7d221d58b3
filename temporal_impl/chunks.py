"""The middle way between `starmap` and one task per station: one activity for five stations.

In Canvas: `generate_roll.chunks(pairs, 5).group() | sum_pages`; each chunk is a starmap of its
own, and its result a list. Here: one activity per chunk; the lists are joined before the fan-in.
A chunk that is tried again goes on after the last roll it reported with a heartbeat.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Chunk, Parts, Run
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out

CHUNK_SIZE = 5


@workflow.defn(name="chunks")
class Chunks:
    """assign_all, then generate_roll.chunks(stations, 5).group() | sum_pages"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages."""
        stations = await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        members = [
            Chunk(run.run_id, stations[start : start + CHUNK_SIZE])
            for start in range(0, len(stations), CHUNK_SIZE)
        ]
        parts = await fan_out(Activities.rolls_of_chunk, members)
        pages = [page_count for part in parts for page_count in part]
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
