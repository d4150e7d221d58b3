"""A group of activities that only touch the database; nobody waits for it.

Database work is better optimised in the query (`assign_all`, one statement) than spread over
tasks that wait for each other's locks.

In Canvas: a group whose results are not collected. The messages are on their own once sent. An
activity is not: it belongs to a workflow, and one that ends takes its activities with it. So the
workflow does wait for its members, and it is the caller that does not wait for the workflow:
when `start` returns, the server has it, whatever becomes of the caller. `group` shows the other
way, a workflow that hands its members over and ends.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Center, Run
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out


@workflow.defn(name="assign_stations_in_parallel")
class AssignStationsInParallel:
    """group(assign_center per center)"""

    @workflow.run
    async def run(self, run: Run) -> None:
        """Returns nothing: the stations are in the database."""
        centers = await workflow.execute_activity_method(Activities.list_centers, run, **SHORT)
        await fan_out(Activities.assign_center, [Center(run.run_id, center) for center in centers])
