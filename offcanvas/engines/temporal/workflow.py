"""The one workflow: walks a canvas, or a slice of one, in a history of its own.

Everything that differs from canvas to canvas is in its input, so that workers need no deployment
for a new canvas. It is deterministic because the walker is: the clock, the timers and the ids of
children are Temporal's.
"""

from __future__ import annotations

import json
from dataclasses import replace

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from offcanvas.canvas.calls import End
    from offcanvas.engines.batches import with_siblings
    from offcanvas.engines.processes.reference import LARGE, short_error
    from offcanvas.engines.temporal.driver import ContinueWith, TemporalDriver
    from offcanvas.engines.temporal.failures import error_of, failure
    from offcanvas.engines.temporal.job import STORED, WORKFLOW, Job, Report, Settings
    from offcanvas.engines.temporal.payload import MOST, pack, unpack
    from offcanvas.engines.walker import Walker


def packed_report(report: Report) -> RawValue:
    """The report as a payload; of errors that are too much together, their beginnings."""
    packed = pack(report.to_json())
    if packed.payload.ByteSize() <= MOST:
        return packed
    return pack(replace(report, ends=tuple(map(_short, report.ends))).to_json())


def _short(end: End) -> End:
    if end.error is None:
        return end
    stored_as = None if end.unstored else end.result_id
    return replace(end, error=short_error(end.error, stored_as, LARGE))


# Kept out of the sandbox: it walks any canvas with the same code, deterministic by its tests, and
# a sandbox for each workflow would double the cost of a small canvas.
@workflow.defn(name=WORKFLOW, sandboxed=False)
class CanvasWorkflow:
    """A canvas, or a slice of a wide group."""

    @workflow.init
    def __init__(self, raw: RawValue) -> None:
        self.unreadable = ""
        self.stored: list[str] = []
        try:
            given = unpack(raw)
            self.stored = given.get(STORED, [])
            self.job = Job((), Settings()) if self.stored else Job.from_json(given)
        except Exception as error:  # of whoever has started it by hand
            self.unreadable = f"{type(error).__name__}: {error}"[:500]
            self.job = Job((), Settings())
        self.driver = TemporalDriver(self.job)

    @workflow.run
    async def run(self, raw: RawValue) -> RawValue:
        """Walk the branches of the job; returns a report.

        Raises:
            ApplicationError: the canvas has failed; its details are what a caller has to know.
        """
        del raw
        if self.stored:
            text = await self.driver.load(self.stored)
            # What was revoked meanwhile comes along.
            self.job = replace(Job.from_json(json.loads(text)), revoked=tuple(self.driver.revoked))
            self.driver = TemporalDriver(self.job)
        driver, job = self.driver, self.job
        if self.unreadable:
            raise ApplicationError(
                f"this is not a canvas of offcanvas: {self.unreadable}",
                type="BadWire",
                non_retryable=True,
            )
        try:
            if job.part or job.burst:
                with_siblings()
            if len(job.branches) == 1:
                ends = [await Walker(driver).walk(job.branches[0])]
            else:
                ends = await driver.side_by_side(job.branches)
        except ContinueWith as rest:
            # A child whose start the server has not confirmed would be lost with this run.
            await driver.all_spawned()
            workflow.continue_as_new(pack(driver.job(rest.branch).to_json()))
        await driver.all_spawned()
        failed = error_of(ends)
        if failed is not None and job.settings.fail_workflows and not job.part and not job.burst:
            raise failure(failed, {"spawned": driver.spawned})
        pace = driver.pace if job.part else ()
        if job.burst:
            ends = []  # nobody asks for them but in the result backend
        return packed_report(Report(tuple(ends), tuple(driver.spawned), pace))

    @workflow.signal(name="revoke")
    def revoke(self, ids: list[str], terminate: bool = False) -> None:
        """Tasks with these ids must not run; those that are running are ended if ``terminate``."""
        self.driver.revoke(ids, terminate=terminate)

    @workflow.query(name="terminated")
    def terminated(self, activity_id: str) -> list[str] | None:
        """Asked by a batch that is cancelled: what is to be ended at once, None for all of it."""
        return self.driver.terminated(activity_id)
