"""Database-sourced recovery: what the database says is missing is queued again.

A run can have been entered and never started (the caller died between its commit and its call of
the server), its flow run can have failed for good, a file can have vanished. The sweep looks at
what is missing, and starts `repair` for a run that nobody is at work on. A flow run that waits or
is at work is let alone, and so is one that is lost: the workers begin that again themselves
(`prefect_impl.reconcile`).

The clock is the schedule of the deployment `sweep`, kept by the server; its runs are executed by
the same workers. Nothing keeps two sweeps apart: two that see the same flow runs start the same
repair. A limit on the deployment's concurrency would stand in the way: its slot is held by a sweep
whose worker was killed, and of a server that was killed it is not given back at all, so that no
sweep would ever run again.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import httpx
import typer
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.runtime import flow_run

from prefect_impl.connection import connect, not_usable
from prefect_impl.flow_runs import is_open, of_run
from prefect_impl.names import ENGINE, SWEEP_EVERY, deployment_of, key_of, tag_of
from prefect_impl.tasks import find_gaps
from shared import metrics, recovery
from shared.recovery import Gap
from shared.variants import BY_NAME, Answer


@flow(name="sweep", persist_result=True)
def sweep(older_than: float) -> list[str]:
    """Look at the runs that have stood still for `older_than` seconds; returns the re-queued.

    One that comes late, because there was no worker for a while, leaves it to those that are due.
    """
    if datetime.now(UTC) - flow_run.scheduled_start_time > SWEEP_EVERY:
        return []
    meter = metrics.meter()
    if meter is not None:
        meter.schedule(ENGINE, "sweep", SWEEP_EVERY.total_seconds())
    gaps = find_gaps(older_than)
    with connect() as client:
        repaired = start_repairs(client, gaps)
    if meter is not None:
        meter.recovered(ENGINE, len(repaired))
    return repaired


def start_repairs(client: SyncPrefectClient, gaps: list[Gap]) -> list[str]:
    """Start a repair for every run that lacks something and is not at work; returns the runs."""
    repaired = []
    for gap in gaps:
        flow_runs = of_run(client, gap.run_id)
        if any(is_open(run) for run in flow_runs):
            continue
        client.create_flow_run_from_deployment(
            client.read_deployment_by_name(deployment_of("repair")).id,
            parameters=_parameters(gap),
            name=gap.run_id,
            tags=[tag_of(gap.run_id)],
            # Two sweeps that have seen the same newest flow run start the same repair.
            idempotency_key=f"{key_of('repair', gap.run_id)}/{flow_runs[0].id if flow_runs else 0}",
        )
        repaired.append(gap.run_id)
    return repaired


def _parameters(gap: Gap) -> dict[str, object]:
    collects = BY_NAME[gap.variant].answer is Answer.TOTAL
    return {
        "run_id": gap.run_id,
        "assign": gap.assignment,
        "sum_pages": gap.summary or (gap.assignment and collects),
        "publish": gap.publication,
    }


def run_sweep(older_than: float, once: bool) -> list[str]:
    """Sweep now, or every so often until stopped; returns the runs that were queued again.

    By hand only: where a worker runs, the server's schedule has it sweep already.
    """
    from prefect_impl.deployments import register

    try:
        with connect() as client:
            register(client)
            while True:
                repaired = start_repairs(client, recovery.find_gaps(ENGINE, older_than))
                if once:
                    return repaired
                typer.echo(f"re-queued {len(repaired)} runs")
                time.sleep(SWEEP_EVERY.total_seconds())
    except httpx.HTTPError as error:
        raise not_usable(error) from error
