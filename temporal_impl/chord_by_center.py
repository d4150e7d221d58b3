"""Fan-out and fan-in with uneven grains: one activity per polling center.

In Canvas: `group(one center) | sum_pages`. Here: the same, written as a loop and an await. The
list of centers is read by an activity, for a workflow may not touch the database; an empty list
needs no special case, where an empty chord does.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Center, Parts, Run
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out


@workflow.defn(name="chord_by_center")
class ChordByCenter:
    """group(rolls_of_center per center) | sum_pages"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages."""
        centers = await workflow.execute_activity_method(Activities.list_centers, run, **SHORT)
        members = [Center(run.run_id, center) for center in centers]
        pages = await fan_out(Activities.rolls_of_center, members)
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
