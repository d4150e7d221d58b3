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
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from celery.exceptions import BackendError
from prefect import flow, get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import Pause
from prefect.states import AwaitingRetry, Cancelled, Crashed

from offcanvas.canvas.calls import SUCCESS, End
from offcanvas.canvas.title import title
from offcanvas.celery_app.persistence import passes
from offcanvas.engines.prefect.client import still_open
from offcanvas.engines.prefect.driver import PrefectDriver
from offcanvas.engines.prefect.fence import Fence, is_still
from offcanvas.engines.prefect.job import FLOW, REVOKE, SLICE, TAG, TOLD, Job
from offcanvas.engines.prefect.reading import Reading, in_step, tell
from offcanvas.engines.prefect.record import state_of
from offcanvas.engines.prefect.slices import Slices, claimed, keep_ends, walked_elsewhere
from offcanvas.engines.prefect.work import Work, work_for
from offcanvas.engines.processes.board import now
from offcanvas.engines.walker import Walker

log = logging.getLogger(__name__)

#: Seconds between two looks at whether something was revoked.
POLL_INTERVAL = 1.0


#: Seconds after which a flow run is tried again that could not go on.
AGAIN = 5.0


@flow(name=FLOW, persist_result=False, validate_parameters=False)
async def canvas(app: str, job: str) -> State[Any]:
    """Walk ``job`` (see ``job.Job``) with the tasks of the app at ``app`` (``module:name``).

    What fails outside of tasks and passes (the result backend or the Prefect server is away) makes
    the flow run wait, in the state AwaitingRetry. Anything else (a process that cannot be started,
    a job that nobody can read) is Crashed, not Failed: a retry of the flow run goes on where it
    stood.
    """
    run = _flow_run()
    try:
        return await _walk(app, job, run)
    except Exception as error:
        if not _passes(error):
            get_run_logger().exception("The canvas was cut short")
            return Crashed(message=f"{type(error).__name__}: {error}")
        log.warning("flow run %s waits: %s: %s", run.name, type(error).__name__, error)
        waits = await _give_back(run, f"{type(error).__name__}: {error}")
    raise Pause(state=waits)


def _passes(error: BaseException) -> bool:
    """Whether the flow run may go on later."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_passes, error.exceptions))
    return isinstance(error, httpx.HTTPError | BackendError) or (
        isinstance(error, Exception) and passes(error)
    )


async def _give_back(run: FlowRun, why: str) -> State[Any]:
    """Have the flow run begun again, here or elsewhere; tries until the server has taken it in."""
    while True:
        waits: State[Any] = AwaitingRetry(
            scheduled_time=datetime.now(UTC) + timedelta(seconds=AGAIN), message=why
        )
        try:
            async with get_client() as client:
                await client.set_flow_run_state(run.id, waits, force=True)
        except httpx.HTTPError as error:
            log.warning("flow run %s could not be given back yet: %r", run.name, error)
            await asyncio.sleep(AGAIN)
        else:
            return waits


async def _walk(app: str, job: str, run: FlowRun) -> State[Any]:
    async with work_for(app) as work, get_client() as client:
        given = Job.from_text(work.app, job)
        # What the engine has of this run was read before the server counted it.
        asked, run = now(), await client.read_flow_run(run.id)
        inbox = _Inbox(client, run.id, work.reading)
        fence = Fence(inbox.ask_again, work.lease)

        async def start(other: Job) -> None:
            await start_elsewhere(client, run, other.to_text(work.app), other)

        if given.part and not await claimed(client, run.id, SLICE):
            return walked_elsewhere()
        slices = inbox.slices = Slices(work.app, client, run)
        driver = PrefectDriver(
            work,
            given,
            run.id,
            start=start,
            refresh=inbox.look,
            tell=inbox.tell,
            confirmed=fence.confirmed,
            slices=slices,
        )
        inbox.driver, inbox.fence = driver, fence
        inbox.attempt = run.run_count
        driver.again = inbox.attempt > 1
        await inbox.heard(run, asked)
        listening = asyncio.create_task(inbox.listen())
        walking = inbox.walking = asyncio.create_task(_to_the_end(work, driver, given, run))
        try:
            end = await walking
        except asyncio.CancelledError:
            walking.cancel()
            if inbox.taken is None:
                raise
        finally:
            listening.cancel()
            driver.close()
            with suppress(asyncio.CancelledError):
                await listening
    if inbox.taken is not None:
        log.warning("flow run %s goes on elsewhere: this worker was taken for lost", run.name)
        raise Pause(state=inbox.taken)
    if inbox.cancelled:
        return Cancelled()
    return state_of(end.state, end.error)


async def _to_the_end(work: Work, driver: PrefectDriver, job: Job, run: FlowRun) -> End:
    walker = Walker(driver)
    if job.more or job.part:
        ends = await driver.side_by_side((job.branch, *job.more))
        end = End(SUCCESS)  # how each has ended is in the result backend
    else:
        ends = []
        end = await walker.walk(job.branch)
    await driver.all_grown()
    if job.part:
        keep_ends(work.app, run.id, ends)
        failed = [one for one in ends if one.error is not None]
        return failed[0] if failed else end
    return end


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

    def __init__(self, client: PrefectClient, flow_run_id: UUID, reading: Reading) -> None:
        self.driver: PrefectDriver
        self.slices: Slices | None = None
        self.fence: Fence
        self.walking: asyncio.Task[Any] | None = None
        #: The number of this run of the flow run.
        self.attempt = 1
        self.cancelled = False
        #: The state that the flow run has elsewhere, when it is no longer this worker's.
        self.taken: State[Any] | None = None
        self._client = client
        self._flow_run_id = flow_run_id
        self._reading = reading
        self._read: set[str] = set()

    async def listen(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await in_step(POLL_INTERVAL)
            await self.look()

    async def look(self) -> None:
        """Tell the driver what is new; a server that does not answer is asked again later."""
        try:
            await self.ask()
        except httpx.HTTPError as error:
            log.warning("could not ask whether anything was revoked: %r", error)

    async def ask_again(self) -> None:
        """Ask; if nobody answers, wait a little."""
        try:
            await self.ask()
        except httpx.HTTPError as error:
            log.warning("could not ask whose the flow run is: %r", error)
            await asyncio.sleep(POLL_INTERVAL)

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
                    await tell(self._client, run.id, revoked)
            offset += len(page)

    async def ask(self) -> None:
        """Tell the driver what is there."""
        asked = now()
        await self.heard(await self._reading.read(self._client, self._flow_run_id), asked)

    async def heard(self, run: FlowRun, asked: float) -> None:
        """Tell the driver what is there: ``run`` is what the server says, when it was asked."""
        if TOLD in run.tags:
            await self._read_messages()
        state = run.state
        if is_still(run, self.attempt):
            self.fence.seen(asked)
        elif self.walking is not None and self.taken is None:
            self.taken = state or AwaitingRetry()
            self.walking.cancel()
        if not self.cancelled and state and (state.is_cancelling() or state.is_cancelled()):
            self.cancelled = True
            self.driver.revoke_all()
            if self.slices is not None:
                await self.slices.cancel()

    async def _read_messages(self) -> None:
        for message in await self._client.filter_flow_run_input(
            self._flow_run_id, REVOKE, 100, self._read
        ):
            self._read.add(message.key)
            told = json.loads(message.value)
            self.driver.revoke(told["ids"], terminate=told["terminate"])
            if self.slices is not None:
                await self.slices.tell(told)
