"""The status of the workflow."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from temporalio.service import RPCError

from shared import steps
from temporal_impl.connection import connect
from temporal_impl.options import TASK_QUEUE
from temporal_impl.registry import workflow_of


def shown(execution: str) -> str:
    """Its name, such as RUNNING, COMPLETED, FAILED."""
    return asyncio.run(_shown(execution))


async def _shown(execution: str) -> str:
    status = (await (await connect()).get_workflow_handle(execution).describe()).status
    return "no status" if status is None else status.name


def abandon(execution: str) -> None:
    """Terminate it."""
    asyncio.run(_abandon(execution))


async def _abandon(execution: str) -> None:
    with contextlib.suppress(RPCError):  # it has ended, or was never there
        await (await connect()).get_workflow_handle(execution).terminate("the cell is over")


def start_later(run_id: str, seconds: float) -> str:
    """`chord_by_station` with a delayed start; returns the workflow's id."""
    steps.begin_run(run_id, "chord_by_station", "temporal")
    return asyncio.run(_start_later(run_id, timedelta(seconds=seconds)))


async def _start_later(run_id: str, delay: timedelta) -> str:
    name, message = workflow_of("chord_by_station", run_id)
    client = await connect()
    handle = await client.start_workflow(
        name,
        message,
        id=f"chord_by_station/{run_id}",
        task_queue=TASK_QUEUE,
        start_delay=delay,
    )
    return handle.id
