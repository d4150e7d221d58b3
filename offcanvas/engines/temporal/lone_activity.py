"""A task without a workflow, in the worker: the first attempt, and who goes on after it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from offcanvas.canvas.calls import (
    FAILURE,
    IGNORED,
    LATER,
    REFUSED,
    REVOKED,
    SUCCESS,
    Branch,
    TaskOutcome,
)
from offcanvas.canvas.nodes import Task
from offcanvas.canvas.planner import result_id
from offcanvas.engines.processes import process
from offcanvas.engines.processes.attempt import attempt
from offcanvas.engines.processes.pool import ProcessLostError
from offcanvas.engines.temporal.batch import tell
from offcanvas.engines.temporal.client import start_job
from offcanvas.engines.temporal.driver import ROOM
from offcanvas.engines.temporal.failures import failure
from offcanvas.engines.temporal.job import Job
from offcanvas.engines.temporal.lone import (
    LONE,
    NOT_TO_BEGIN,
    fits,
    go_on,
    start_lone,
)
from offcanvas.engines.temporal.payload import MOST, pack
from offcanvas.engines.temporal.shown import shown
from offcanvas.engines.walker import first_call

if TYPE_CHECKING:
    from celery import Celery
    from temporalio.client import ActivityHandle

    from offcanvas.engines.processes.pool import Pool
    from offcanvas.engines.processes.rates import Rates

#: States after which nothing of the task itself goes on.
_ENDS = {SUCCESS, FAILURE, REVOKED, REFUSED, IGNORED}


async def run_lone(app: Celery, pool: Pool, rates: Rates, given: Mapping[str, Any]) -> RawValue:
    """Attempt the task, and start what comes of it.

    Returns what it came to, for Temporal's pages: its state and value, and the ids of the
    workflows (``spawned``) and activities (``sent``) that go on or were started.

    Raises:
        ApplicationError: the task has failed.
        asyncio.CancelledError: it was ended by a revoke, or is no longer this worker's.
    """
    run = _Run(app, pool, rates, given)
    working = asyncio.create_task(run.all())
    while not working.done():
        try:
            await asyncio.wait({working})
        except asyncio.CancelledError:
            why = activity.cancellation_details()
            if why is not None and (why.worker_shutdown or why.paused):
                continue  # Celery's warm shutdown: what runs may end
            if why is not None and why.cancel_requested and not why.not_found:
                if await _reason() != NOT_TO_BEGIN:  # else it has begun in that moment
                    run.terminate()
                continue
            working.cancel()
            await asyncio.wait({working})
            raise
    return working.result()


class _Run:
    """An activity at work."""

    def __init__(self, app: Celery, pool: Pool, rates: Rates, given: Mapping[str, Any]) -> None:
        self._app, self._pool, self._rates, self._given = app, pool, rates, given
        self._job = Job.from_json(given[LONE])
        (self._branch,) = self._job.branches
        node = self._branch.node
        assert isinstance(node, Task)  # noqa: S101  # see ``lone.fits``
        self._call = first_call(self._branch, node, lambda: given["since"])
        self._raw = {
            "call": self._call.to_json(),
            "strict": self._job.settings.strict,
            "entry": given["entry"],
            "since": given["since"],
            "most": ROOM,
            "again": activity.info().attempt > 1,
        }
        self._terminated = False
        self._attempt: asyncio.Task[dict[str, Any]] | None = None

    def terminate(self) -> None:
        """End the task, unless it has ended."""
        if self._attempt is None:
            self._terminated = True
        elif not self._attempt.done():
            self._terminated = True
            self._attempt.cancel()  # kills the process

    async def all(self) -> RawValue:
        """See ``run_lone``."""
        settings = self._job.settings
        outcome = await self._outcome()
        for one in outcome.get("revoked", ()):
            await tell(self._app, one)
        answer: dict[str, Any] = {
            name: outcome[name] for name in ("state", "value") if name in outcome
        }
        answer |= await self._start(TaskOutcome.from_json(outcome))
        if self._terminated:
            raise asyncio.CancelledError
        error = outcome.get("error")
        if settings.fail_workflows and outcome["state"] in {FAILURE, REFUSED, REVOKED} and error:
            raise failure(error, answer)
        packed = pack(answer)
        if packed.payload.ByteSize() > MOST:
            packed = pack({**answer, "value": "too large to be shown"})
        return packed

    async def _outcome(self) -> dict[str, Any]:
        app, call, raw = self._app, self._call, self._raw
        if raw["again"]:
            # The worker that had it is lost, or it has ended and nobody has heard of it.
            task = app.tasks.get(call.name)
            if task is None or not task.acks_late:
                return await self._pool.do(process.lose_task, {**raw, "why": await _why()})
            revoked = await self._pool.do(process.revoke_if_noted, raw)
            if revoked is not None:
                return revoked
        wait = self._rates.reserve(call)
        if wait:
            return TaskOutcome(LATER, delay=wait).to_json()
        outcome = await self._attempted()
        if outcome is None:
            return await self._pool.do(process.revoke_task, {**raw, "terminated": True})
        if pack(outcome).payload.ByteSize() > MOST:
            why = f"what the task has come to is more than the {MOST:,} bytes of Temporal"
            return await self._pool.do(process.overflow_task, {**raw, "why": why})
        return outcome

    async def _attempted(self) -> dict[str, Any] | None:
        """What the task has come to; None if it was terminated."""
        if self._terminated:
            return None
        scheduled = activity.info().current_attempt_scheduled_time
        working = self._attempt = asyncio.create_task(
            attempt(
                self._app, self._pool, self._call, self._raw,
                engine="temporal", sent=scheduled.timestamp(),
            )
        )  # fmt: skip
        try:
            await asyncio.wait({working})
        finally:
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
        if working.cancelled():
            return None
        try:
            return working.result()
        except ProcessLostError as error:
            raise ApplicationError(str(error), type=type(error).__name__) from error

    async def _start(self, outcome: TaskOutcome) -> dict[str, Any]:
        """Start what the task has sent, or the workflow that goes on with it and starts that."""
        trees = [Branch.from_json(one) for one in outcome.spawned]
        own = result_id(self._branch.node)
        ends = outcome.state in _ENDS and not (outcome.parts or outcome.retries)
        if not ends or outcome.rest is not None or any(result_id(one.node) == own for one in trees):
            return await self._go_on(outcome)
        client, queue, again = activity.client(), self._given["task_queue"], self._raw["again"]
        settings = self._job.settings
        spawned: list[str] = []
        sent: list[str] = []
        for number, tree in enumerate(trees):
            if fits(self._app, tree):
                begun = await start_lone(
                    client, self._app, tree, task_queue=queue, settings=settings, again=again
                )
                sent.append(begun.id)
                continue
            texts = shown(tree.node, result_id(tree.node) or f"{self._given['entry']}-{number}")
            job = Job((tree,), settings)
            await start_job(client, self._app, job, texts, task_queue=queue, once=again)
            spawned.append(texts.id)
        return {
            **({"spawned": spawned} if spawned else {}),
            **({"sent": sent} if sent else {}),
        }

    async def _go_on(self, outcome: TaskOutcome) -> dict[str, Any]:
        info, client = activity.info(), activity.client()
        revoked = await self._pool.do(process.revoke_noted, self._raw)
        job = replace(
            self._job, had=outcome.to_json(), revoked=(info.activity_id,) if revoked else ()
        )
        run, queue = info.activity_run_id or "", self._given["task_queue"]
        name = await go_on(client, self._app, job, run=run, task_queue=queue)
        # Whoever revokes it in this moment has found no workflow, and has left a note before.
        if not revoked and await self._pool.do(process.revoke_noted, self._raw):
            handle = client.get_workflow_handle(name)
            await handle.signal("revoke", args=[[info.activity_id], False])
        return {"spawned": [name]}


async def _reason() -> str | None:
    return (await _self().describe()).canceled_reason


async def _why() -> str:
    """What became of the attempt before this one."""
    error = await (await _self().describe(include_last_failure=True)).last_failure()
    return str(error or "its worker is gone")


def _self() -> ActivityHandle[Any]:
    info = activity.info()
    return activity.client().get_activity_handle(info.activity_id, run_id=info.activity_run_id)
