"""One activity walks over all stations: not parallel.

In Canvas: `generate_roll.starmap(pairs) | sum_pages`. A starmap is one message with all pairs in
it, run by one worker as one sequential loop, and repeated from the first pair if that worker is
lost.

Here: one activity with the same loop. It is given the run and reads its pairs from the database,
for all of them as its input could be over the server's 2 MB a payload. It reports each result
with a heartbeat, and its next attempt goes on where the last one stopped.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Parts, Run
    from temporal_impl.options import LONG, SHORT


@workflow.defn(name="starmap")
class Starmap:
    """assign_all, then generate_roll.starmap(stations) | sum_pages"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages."""
        await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        pages = await workflow.execute_activity_method(Activities.rolls_one_by_one, run, **LONG)
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
