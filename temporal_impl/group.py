"""Fire and forget: nobody collects the results.

In Canvas: a plain group; the caller goes on when the messages are sent. Here: the workflow hands
its members to child workflows with ParentClosePolicy.ABANDON and ends as soon as the server has
taken them in, and that is what the caller can wait for. The children go on without a parent.

A child carries up to 1,000 stations: an activity needs a workflow that keeps it alive and
retries it, but not one each. A roll that fails for good fails its child once all siblings have
run; nobody is told, but it stays visible as a failed workflow, which Celery's lost result is not.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Run, Station
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import hand_over


@workflow.defn(name="group")
class Group:
    """assign_all, then group(generate_roll per station)"""

    @workflow.run
    async def run(self, run: Run) -> None:
        """Returns nothing, once the group is handed over: the rolls appear."""
        stations = await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        members = [Station(run.run_id, station) for station in stations]
        await hand_over(Activities.generate_roll, members)
