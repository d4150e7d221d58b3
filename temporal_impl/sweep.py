"""Database-sourced recovery: what the database says is missing is queued again.

Temporal keeps its own promises: a workflow that is open is in good hands, and the sweep lets it
alone. What is left are runs that were entered but never started (the caller died between its
commit and the start), workflows that failed or were terminated, and files that were lost.

The clock is a Temporal Schedule with overlap SKIP: no process of ours keeps time, and two workers
do not sweep twice. It starts the workflow `sweep`, whose one activity starts a workflow `repair`
for each run that lacks something.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import WorkflowIDConflictPolicy

from temporal_impl.repair import Repair, RepairRun

with workflow.unsafe.imports_passed_through():
    import typer

    from shared import metrics
    from shared.recovery import OLDER_THAN, Gap, find_gaps
    from shared.variants import BY_NAME, Answer
    from temporal_impl.connection import connect
    from temporal_impl.options import SHORT, TASK_QUEUE

ENGINE = "temporal"
SCHEDULE_ID = "voter-rolls-sweep"
EVERY = timedelta(seconds=OLDER_THAN)


@dataclass(frozen=True, slots=True)
class SweepRuns:
    """Look at the runs that have stood still for `older_than` seconds."""

    older_than: float


@activity.defn
async def requeue(sweep: SweepRuns) -> list[str]:
    """Start what is missing; returns the runs. Runs in the worker itself, which has a client."""
    meter = metrics.meter()
    if meter is not None:
        meter.schedule(ENGINE, SCHEDULE_ID, EVERY.total_seconds())
    repaired = await start_repairs(activity.client(), sweep.older_than)
    if meter is not None:
        meter.recovered(ENGINE, len(repaired))
    return repaired


@workflow.defn(name="sweep")
class Sweep:
    """One look at the database."""

    @workflow.run
    async def run(self, sweep: SweepRuns) -> list[str]:
        """Returns the runs that were queued again."""
        return await workflow.execute_activity(requeue, sweep, **SHORT)


async def start_repairs(client: Client, older_than: float) -> list[str]:
    """Start a repair for every run that lacks something and is not at work; returns the runs."""
    repaired = []
    for gap in await asyncio.to_thread(find_gaps, ENGINE, older_than):
        if await _is_open(client, gap):
            continue
        await client.start_workflow(
            Repair.run,
            _repair_of(gap),
            id=f"repair/{gap.run_id}",
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        repaired.append(gap.run_id)
    return repaired


async def _is_open(client: Client, gap: Gap) -> bool:
    """Whether the run's workflow is open, or one that it started and left."""
    name = f"{gap.variant}/{gap.run_id}"  # plain words both: nothing to escape
    running = await client.count_workflows(
        f"ExecutionStatus = 'Running' AND "
        f"(WorkflowId = '{name}' OR WorkflowId STARTS_WITH '{name}/')"
    )
    return running.count > 0


def _repair_of(gap: Gap) -> RepairRun:
    collects = BY_NAME[gap.variant].answer is Answer.TOTAL
    return RepairRun(
        run_id=gap.run_id,
        assign=gap.assignment,
        sum_pages=gap.summary or (gap.assignment and collects),
        publish=gap.publication,
    )


def run_sweep(older_than: float, once: bool) -> list[str]:
    """Sweep now, or have the server sweep from now on; returns the runs that were queued again.

    The Schedule lives in the server: this returns at once, and sweeping goes on until the
    Schedule is deleted or paused. Setting it up again changes its settings.
    """
    return asyncio.run(_sweep_once(older_than) if once else _sweep_from_now_on(older_than))


async def _sweep_once(older_than: float) -> list[str]:
    return await start_repairs(await connect(), older_than)


async def _sweep_from_now_on(older_than: float) -> list[str]:
    await ensure_schedule(await connect(), older_than)
    typer.echo(
        f"the server sweeps every {EVERY.total_seconds():.0f} s by the Schedule {SCHEDULE_ID}; "
        f"`temporal schedule delete --schedule-id {SCHEDULE_ID}` ends that"
    )
    return []


async def ensure_schedule(client: Client, older_than: float, every: timedelta = EVERY) -> None:
    """Create the Schedule, or bring the one that is there up to date."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            Sweep.run, SweepRuns(older_than), id="sweep", task_queue=TASK_QUEUE
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP,
            # After an outage one sweep is as good as all that were missed.
            catchup_window=every,
        ),
    )

    def update(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule)

    try:
        await client.create_schedule(SCHEDULE_ID, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(SCHEDULE_ID).update(update)
