"""Sequential dependency: each step begins when the one before it has ended.

In Canvas: `assign | generate | sum_pages | publish`, where a member gets its predecessor's
result as first argument unless its signature is immutable (`.si`). Here: one await after the
other. What is passed on is an ordinary variable, and what is not is simply not used.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Parts, Run
    from temporal_impl.options import LONG, SHORT


@workflow.defn(name="chain")
class Chain:
    """assign_all | rolls_one_by_one | sum_pages | publish_summary"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the published sum of the pages."""
        await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        pages = await workflow.execute_activity_method(Activities.rolls_one_by_one, run, **LONG)
        await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
        return await workflow.execute_activity_method(Activities.publish_summary, run, **SHORT)
