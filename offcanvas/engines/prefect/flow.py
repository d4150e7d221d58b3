"""The one flow: walks a canvas.

Everything that differs from canvas to canvas is in its parameters, so that one deployment serves
all canvases of an app. It ends in the state of the canvas, without a result of its own: callers
read the app's result backend, as they do with Celery.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
from prefect import flow, get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from offcanvas.engines.prefect.client import as_input, still_open
from offcanvas.engines.prefect.driver import PrefectDriver
from offcanvas.engines.prefect.job import FLOW, REVOKE, TAG, Job
from offcanvas.engines.prefect.record import state_of
from offcanvas.engines.prefect.title import title
from offcanvas.engines.prefect.work import work_for
from offcanvas.engines.walker import Walker

log = logging.getLogger(__name__)

#: Seconds between two questions whether something was revoked.
BEAT = 1.0


@flow(name=FLOW, persist_result=False, validate_parameters=False)
async def canvas(app: str, job: str) -> State[Any]:
    """Walk ``job`` (see ``job.Job``) with the tasks of the app at ``app`` (``module:name``).

    What fails outside of tasks (the result backend, a process that cannot be started) is Crashed,
    not Failed: a retry of the flow run goes on where it stood.
    """
    try:
        return await _walk(app, job, _flow_run())
    except Exception as error:
        get_run_logger().exception("The canvas was cut short")
        return Crashed(message=f"{type(error).__name__}: {error}")


async def _walk(app: str, job: str, run: FlowRun) -> State[Any]:
    async with work_for(app) as work, get_client() as client:
        given = Job.from_text(work.app, job)
        inbox = _Inbox(client, run.id)

        async def start(other: Job) -> None:
            await start_elsewhere(client, run, other.to_text(work.app), other)

        driver = PrefectDriver(
            work, given, run.id, start=start, refresh=inbox.look, tell=inbox.tell
        )
        inbox.driver = driver
        # What the engine has of this run was read before the server counted it.
        driver.again = (await inbox.ask()).run_count > 1
        listening = asyncio.create_task(inbox.listen())
        try:
            end = await Walker(driver).walk(given.branch)
            await driver.all_grown()
        finally:
            listening.cancel()
            driver.close()
            with suppress(asyncio.CancelledError):
                await listening
    if inbox.cancelled:
        return Cancelled()
    return state_of(end.state, end.error)


def _flow_run() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("this is the body of a flow")
    return context.flow_run


async def start_elsewhere(client: PrefectClient, run: FlowRun, text: str, job: Job) -> None:
    """Start a flow run of the same deployment as ``run``."""
    if run.deployment_id is None:
        raise RuntimeError("a flow run without a deployment cannot start another one")
    await client.create_flow_run_from_deployment(
        run.deployment_id,
        parameters={"job": text},
        name=title(job.branch.node),
        tags=[TAG, f"{TAG}:{job.tree}"],
        # A second run of this flow run must not start it a second time.
        idempotency_key=str(uuid.uuid5(run.id, json.dumps(job.branch.to_json(), sort_keys=True))),
    )


class _Inbox:
    """What the flow run is told while it runs: revoked tasks, and its own cancellation."""

    def __init__(self, client: PrefectClient, flow_run_id: UUID) -> None:
        self.driver: PrefectDriver
        self.cancelled = False
        self._client = client
        self._flow_run_id = flow_run_id
        self._read: set[str] = set()

    async def listen(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await asyncio.sleep(BEAT)
            await self.look()

    async def look(self) -> None:
        """Tell the driver what is new; a server that does not answer is asked again later."""
        try:
            await self.ask()
        except httpx.HTTPError as error:
            log.warning("could not ask whether anything was revoked: %r", error)

    async def tell(self, revoked: Mapping[str, Any]) -> None:
        """Tell every canvas that runs, as with Celery, where a revoke goes to every worker."""
        self.driver.revoke(revoked["ids"], terminate=revoked["terminate"])
        try:
            await self._tell_others(revoked)
        except httpx.HTTPError as error:
            # The task has ended, and well: nothing is cut short for what it has asked of others.
            log.warning("could not tell that %s are revoked: %r", revoked["ids"], error)

    async def _tell_others(self, revoked: Mapping[str, Any]) -> None:
        offset = 0
        while page := await self._client.read_flow_runs(**still_open(TAG), offset=offset):
            for run in page:
                if run.id != self._flow_run_id:
                    # It may have ended, and been deleted, meanwhile.
                    with suppress(ObjectNotFound):
                        await self._client.create_flow_run_input(run.id, *as_input(revoked))
            offset += len(page)

    async def ask(self) -> FlowRun:
        """Tell the driver what is there; returns the flow run as it is now."""
        messages, run = await asyncio.gather(
            self._client.filter_flow_run_input(self._flow_run_id, REVOKE, 100, self._read),
            self._client.read_flow_run(self._flow_run_id),
        )
        for message in messages:
            self._read.add(message.key)
            told = json.loads(message.value)
            self.driver.revoke(told["ids"], terminate=told["terminate"])
        state = run.state
        if not self.cancelled and state and (state.is_cancelling() or state.is_cancelled()):
            self.cancelled = True
            self.driver.revoke_all()
        return run
