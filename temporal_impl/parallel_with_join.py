"""A parent that starts the group and waits for it.

In Canvas: a task that calls `group(...)().join()`. Celery forbids it ("Never call result.get()
within a task!"), since the waiting task keeps a worker process that its own members may need.

Here waiting is what a workflow is for: it is not a thread and holds no slot of a worker, its wait
is a row in the server. The group is a child workflow with a handle, started first and joined
later; between the two the parent could do something else. The same written without a handle is
`chord_by_station`.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Parts, Run, Station
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import Batch, FanOut, activity_name


@workflow.defn(name="parallel_with_join")
class ParallelWithJoin:
    """assign_all, then start group(generate_roll per station), join, sum_pages"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages."""
        stations = await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        members = [Station(run.run_id, station) for station in stations]
        group = await workflow.start_child_workflow(
            FanOut.run,
            Batch(activity_name(Activities.generate_roll), members),
            id=f"{workflow.info().workflow_id}/group",
        )
        pages = await group  # result.join()
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
