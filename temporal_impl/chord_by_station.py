"""The recommended shape: database work once, CPU work in even grains.

In Canvas: the caller assigns the stations, because the chord's header has to be known when it is
sent; then `group(generate_roll per station) | sum_pages`. Here the assignment is the workflow's
first activity: a workflow decides as it goes along, the step is durable, and the caller only
sends a run id.

A chord counts its members in the result backend and the last one sends the body. Here the
history counts them: no counter to lose, and no body that runs twice.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Parts, Run, Station
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out


@workflow.defn(name="chord_by_station")
class ChordByStation:
    """assign_all, then group(generate_roll per station) | sum_pages"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages."""
        stations = await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        members = [Station(run.run_id, station) for station in stations]
        pages = await fan_out(Activities.generate_roll, members)
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
