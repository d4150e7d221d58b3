"""Make up what a run lacks, from the database alone."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.inputs import Run, Station
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out


@dataclass(frozen=True, slots=True)
class RepairRun:
    """A run and what to do again; which rolls are missing is asked anew at the time."""

    run_id: str
    assign: bool
    sum_pages: bool
    publish: bool


@workflow.defn(name="repair")
class Repair:
    """assign_all if need be, then generate_roll per missing roll | sum from the database"""

    @workflow.run
    async def run(self, repair: RepairRun) -> int:
        """Returns the number of rolls that were missing."""
        run = Run(repair.run_id)
        if repair.assign:
            await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        missing = await workflow.execute_activity_method(Activities.missing_rolls, run, **SHORT)
        await fan_out(Activities.generate_roll, [Station(run.run_id, name) for name in missing])
        if repair.sum_pages:
            await workflow.execute_activity_method(Activities.sum_printed_pages, run, **SHORT)
        if repair.publish:
            await workflow.execute_activity_method(Activities.publish_summary, run, **SHORT)
        return len(missing)
