"""The one workflow: walks a canvas, or a slice of one, in a history of its own.

Everything that differs from canvas to canvas is in its input, so that workers need no deployment
for a new canvas. It is deterministic because the walker is: the clock, the timers and the ids of
children are Temporal's.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from offcanvas.engines.temporal.driver import ContinueWith, TemporalDriver
    from offcanvas.engines.temporal.job import WORKFLOW, Job, Report
    from offcanvas.engines.temporal.payload import pack, unpack
    from offcanvas.engines.walker import Walker


# Kept out of the sandbox: it walks any canvas with the same code, deterministic by its tests, and
# a sandbox for each workflow would double the cost of a small canvas.
@workflow.defn(name=WORKFLOW, sandboxed=False)
class CanvasWorkflow:
    """A canvas, or a slice of a wide group."""

    @workflow.init
    def __init__(self, raw: RawValue) -> None:
        self.job = Job.from_json(unpack(raw))
        self.driver = TemporalDriver(self.job)

    @workflow.run
    async def run(self, raw: RawValue) -> RawValue:
        """Walk the branches of the job; returns a report."""
        del raw
        driver, job = self.driver, self.job
        try:
            if len(job.branches) == 1:
                ends = [await Walker(driver).walk(job.branches[0])]
            else:
                ends = await driver.side_by_side(job.branches)
        except ContinueWith as rest:
            # A child whose start the server has not confirmed would be lost with this run.
            await driver.all_spawned()
            workflow.continue_as_new(pack(driver.job(rest.branch).to_json()))
        await driver.all_spawned()
        return pack(Report(tuple(ends), tuple(driver.spawned)).to_json())

    @workflow.signal(name="revoke")
    def revoke(self, ids: list[str], terminate: bool = False) -> None:
        """Tasks with these ids must not run; those that are running are ended if ``terminate``."""
        self.driver.revoke(ids, terminate=terminate)
