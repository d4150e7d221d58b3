"""One activity loops over every center and every station.

The shortest way, and brittle: nothing runs beside it.

In Canvas: a single task. Here: a workflow with a single activity. What differs is a failure in
the middle. A Celery task that is delivered again starts from the first center; the activity
reports each result with a heartbeat, and its next attempt goes on from there.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Run
    from temporal_impl.options import LONG


@workflow.defn(name="all_in_one")
class AllInOne:
    """everything"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages."""
        return await workflow.execute_activity_method(Activities.everything, run, **LONG)
