"""A rerouted chord has Celery's states; where it runs, a workflow or a flow run."""

from __future__ import annotations

import asyncio

from comparisons.lab.rerouted.app import ENGINE
from comparisons.lab.rerouted.client import switch
from comparisons.lab.states.celery import shown, start_later
from offcanvas.canvas.calls import Branch


def abandon(execution: str) -> None:
    """End all that runs: a lane has one run at a time, and its sweeps."""
    del execution
    if ENGINE == "temporal":
        asyncio.run(_terminate_all())
    else:
        _cancel_all()


async def _terminate_all() -> None:
    from temporalio.service import RPCError

    from offcanvas.engines.temporal.connection import connect

    client = await connect()
    async for one in client.list_workflows("ExecutionStatus = 'Running'"):
        try:
            await client.get_workflow_handle(one.id).terminate("the cell is over")
        except RPCError:
            continue  # it has ended meanwhile


def _cancel_all() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelled

    alive = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]
    which = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=alive)))
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=which):
            client.set_flow_run_state(run.id, Cancelled(), force=True)


_kept: list[Branch] = []


def keep_messages() -> None:
    """Keep each canvas that this process starts from now on."""
    start = switch.target.start

    def keep(branch: Branch) -> None:
        _kept[:] = [branch]
        start(branch)

    switch.target.start = keep  # type: ignore[method-assign]  # the target has no hook for it


def send_again(run_id: str, station_id: str) -> None:
    """Send the canvas that was started last once more, with the same ids."""
    del run_id, station_id
    switch.target.start(_kept[0])


__all__ = ["abandon", "keep_messages", "send_again", "shown", "start_later"]
