"""The worker: takes flow runs of canvases and walks them in its own process.

Prefect's own workers start a process for each flow run, which imports Prefect and the app and then
starts processes for the tasks: seconds for each canvas. This one, on Prefect's documented base
class, has them resident. A flow run here only orchestrates; the app's code runs in processes apart.

What decides when something goes wrong, in Celery's words and in Prefect's:

=====================================  ==========================================================
``self.retry``, ``autoretry_for``      decided by the task; Prefect's own retry, with that delay
``time_limit``                         the process is killed: TimeLimitExceeded, state TimedOut
``soft_time_limit``                    an alarm in the process
``countdown``, ``eta``                 the flow run waits
``expires``                            looked at when the task is about to begin
a task's process dies                  WorkerLostError; with ``acks_late`` and
                                       ``reject_on_worker_lost`` the task runs again
the worker is killed                   another one sees that it sends no heartbeats, and runs the
                                       flow run again: what has ended stays as it is, what was
                                       running is WorkerLostError or, with ``acks_late``, runs again
the worker is frozen and woken         before its next task it asks whether the flow run is still
                                       its own (``fence``), and leaves it if another one has it
the result backend is away or full     tasks wait, results are stored again until they are; a flow
                                       run that cannot be read waits in AwaitingRetry
SIGTERM                                no further flow runs; those in hand may go on for a while,
                                       then they are given back and go on elsewhere
``revoke``, cancellation in the UI     seen within a second
=====================================  ==========================================================
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.context import AsyncClientContext
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from offcanvas.engines.batches import Batch, batch_of
from offcanvas.engines.prefect.deployments import WORKER_TYPE
from offcanvas.engines.prefect.flow import canvas
from offcanvas.engines.prefect.job import SLICE
from offcanvas.engines.prefect.patience import make_patient
from offcanvas.engines.prefect.reconcile import give_back_lost
from offcanvas.engines.prefect.work import resident
from offcanvas.errors import EngineError

log = logging.getLogger(__name__)

#: Canvases in hand at a time. They only wait; the tasks of all of them share the processes.
FLOW_RUNS = 200
#: Slices of wide groups among them: one at work, and one that comes next.
SLICES = 2
HEARTBEAT_SECONDS = 5
#: How long flow runs in hand may go on after SIGTERM.
GRACE_SECONDS = 30.0


def _unobserved(flow_run: FlowRun) -> FlowRun:
    """The flow run as Prefect's engine is to see it: without its deployment.

    For each flow run of a deployment Prefect 3.9 has a thread, an event loop and a stream of events
    of its own, to learn that it was suspended, and waits for the stream before it begins. A server
    on SQLite answers a hundred requests at a time and counts streams among them: with about as many
    flow runs in hand it answers nobody any more. The flow looks at its own state every second.
    Source: prefect/_flow_run_suspension.py, RequestLimitMiddleware in prefect/server/api/server.py.
    """
    return flow_run.model_copy(update={"deployment_id": None})


class Nowhere(BaseJobConfiguration):
    """The infrastructure of a flow run, of which there is none.

    It is what the worker's events name the flow and the deployment from; a worker sees few of
    them, and has read them once.
    """

    @classmethod
    async def resolve_for_flow_run(
        cls, flow_run: FlowRun, *, client: PrefectClient, **given: Any
    ) -> Nowhere:
        """Prefect's, without two requests for each flow run and a template to fill in."""
        found = cls()
        about = {
            "flow": await _once(client.read_flow, flow_run.flow_id),
            "work_pool": given["work_pool"],
            "worker_name": given["worker_name"],
        }
        if flow_run.deployment_id is not None:
            about["deployment"] = await _once(client.read_deployment, flow_run.deployment_id)
        found.prepare_for_flow_run(flow_run, **about)
        return found


_read: dict[UUID, Any] = {}


async def _once(read: Callable[[UUID], Awaitable[Any]], its_id: UUID) -> Any:
    if its_id not in _read:
        _read[its_id] = await read(its_id)
    return _read[its_id]


class CanvasWorker(BaseWorker[Nowhere, BaseVariables, BaseWorkerResult]):
    """Executes flow runs in the event loop of its own process."""

    type = WORKER_TYPE
    job_configuration = Nowhere

    def __init__(self, work_pool: str, heartbeat: int = HEARTBEAT_SECONDS) -> None:
        super().__init__(
            work_pool,
            name=f"{socket.gethostname()}-{os.getpid()}",
            limit=FLOW_RUNS,
            prefetch_seconds=0,
            heartbeat_interval_seconds=heartbeat,
        )
        self._draining = False
        self._in_hand: set[anyio.CancelScope] = set()
        self._slices: set[UUID] = set()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask for work, unless this worker is about to stop."""
        return [] if self._draining else await super().get_and_submit_flow_runs()

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        """Leave slices of wide groups to other workers, but for as many as can be at work here."""
        slices = [one.flow_run.id for one in flow_run_response if SLICE in one.flow_run.tags]
        borrowers = {one for one in self.limiter.statistics().borrowers if isinstance(one, UUID)}
        self._slices = {one for one in self._slices if one in borrowers}
        taken = [one for one in slices if one not in borrowers][
            : max(0, SLICES - len(self._slices))
        ]
        self._slices.update(taken)
        left = set(slices) - set(taken)
        mine = [one for one in flow_run_response if one.flow_run.id not in left]
        return await super()._submit_scheduled_flow_runs(mine)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: Nowhere,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> BaseWorkerResult:
        """Execute the flow run to its end; the engine itself tells the server about its states."""
        del configuration  # there is no infrastructure to configure
        if task_status is not None:
            task_status.started(self.name)  # becomes the flow run's infrastructure_pid
        with anyio.CancelScope() as scope:
            self._in_hand.add(scope)
            try:
                running: Any = run_flow(canvas, flow_run=_unobserved(flow_run), return_type="state")
                await running
            except Abort as refusal:  # no Exception: it would end the worker
                log.warning("flow run %s: the server refused its state: %s", flow_run.name, refusal)
                await _give_back(self.client, flow_run)
            except Pause as waits:  # the server has been told, or the flow run is not ours
                log.debug("flow run %s: left alone: %s", flow_run.name, waits.state)
            finally:
                self._in_hand.discard(scope)
        if scope.cancelled_caught:
            await self.client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)
        return BaseWorkerResult(identifier=self.name, status_code=0)

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """Not needed, and one of the requests that a server on SQLite refuses when it is busy."""

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Not needed: between Pending and Running there is no infrastructure to wait for."""

    async def _propose_crashed_state(
        self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
    ) -> None:
        """Of a flow run that could not be begun; on a server that was too busy it is begun later.

        Crashed is final: nobody would begin it again.
        """
        if not isinstance(sys.exception(), httpx.HTTPError):
            await super()._propose_crashed_state(flow_run, message, client)
            return
        log.warning("flow run %s is begun later: %s", flow_run.name, message)
        await _give_back(self.client, flow_run)

    async def drain(self, grace: float) -> None:
        """Take no more flow runs; give those back that have not ended after ``grace`` seconds."""
        self._draining = True
        with anyio.move_on_after(grace):
            await self._until_idle()
        for scope in list(self._in_hand):
            scope.cancel()
        await self._until_idle()

    async def _until_idle(self) -> None:
        while self.limiter.borrowed_tokens:  # one a flow run, from its acceptance to its end
            await anyio.sleep(0.05)

    async def sweep(self) -> None:
        """See to flow runs whose worker is gone, for ever."""
        while True:
            await anyio.sleep(self.heartbeat_interval_seconds)
            try:
                await give_back_lost(self.client, self._work_pool_name, self.name)
            except httpx.HTTPError as error:  # the server may be starting anew
                log.warning("could not look for lost flow runs: %s", error)

    async def sign_off(self) -> None:
        """Have the server forget this worker, instead of missing its heartbeats.

        Once it works no more: a heartbeat that came later would have the server know it again.
        """
        try:
            async with get_client() as client:
                await client.request(
                    "DELETE",
                    "/work_pools/{work_pool_name}/workers/{name}",
                    path_params={"work_pool_name": self._work_pool_name, "name": self.name},
                )
        except httpx.HTTPError as error:  # it is stopping, too; the worker goes all the same
            log.warning("could not sign off from the Prefect server: %s", error)


async def _give_back(client: PrefectClient, flow_run: FlowRun) -> None:
    """Have the flow run begun again, unless it has ended."""
    with suppress(httpx.HTTPError):
        state = (await client.read_flow_run(flow_run.id)).state
        if state is None or not state.is_final():
            await client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)


def serve(
    app: str,
    *,
    work_pool: str,
    processes: int | None = None,
    settings: Mapping[str, Any] | None = None,
    grace: float = GRACE_SECONDS,
    heartbeat: int = HEARTBEAT_SECONDS,
    batch: Batch = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Work in the foreground until SIGTERM or Ctrl-C; to be called in the main thread.

    Args:
        app: where processes find the app, ``module:name``.
        work_pool: the pool to take flow runs from; its deployment is there already.
        processes: how many tasks run at a time; one for each CPU unless given.
        settings: what the app's configuration is updated with.
        grace: seconds that flow runs in hand may go on after SIGTERM.
        heartbeat: seconds between two heartbeats; a worker that misses three is lost.
        batch: what of a batch runs at a time: so many members, or what half a second is enough for
            with "auto". None for what the canvas says.
        ready: called when the processes are there.

    Raises:
        BadTarget: there is no app.
        EngineError: a process cannot be started, or something has left this one.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    count = processes or os.cpu_count() or 1
    failed: list[BaseException] = []
    # Others take a flow run over after three heartbeats that did not come.
    lease = 2 * heartbeat - 0.5

    async def work() -> None:
        # One client for the worker and all flow runs, where Prefect would open one for each.
        async with (
            resident(app, count, settings or {}, lease, batch_of(batch)),
            AsyncClientContext() as clients,
        ):
            make_patient(clients.client)
            ready()
            await _work(CanvasWorker(work_pool, heartbeat), stop, grace)

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # raised in the main thread, below
            failed.append(error)
        finally:
            stop.set()

    # Not in the main thread: there every flow run would put its own handler of SIGTERM in the
    # place of ours.
    thread = threading.Thread(target=run, name="offcanvas-worker")
    thread.start()
    thread.join()
    if failed and isinstance(failed[0], SystemExit):  # its status may be that of success
        raise EngineError(
            f"the worker has ended: something in it has called sys.exit({failed[0].code or ''})"
        ) from failed[0]
    if failed:
        raise failed[0]


async def _work(worker: CanvasWorker, stop: threading.Event, grace: float) -> None:
    working = asyncio.create_task(worker.start(printer=lambda *_: None))
    sweeping: asyncio.Task[None] | None = None
    while not stop.is_set() and not working.done():
        await asyncio.sleep(0.1)
        if sweeping is None and worker.is_setup:
            sweeping = asyncio.create_task(worker.sweep())
    if sweeping is not None:
        sweeping.cancel()
    leaves = worker.is_setup and not working.done()
    if leaves:
        await worker.drain(grace)
    working.cancel()
    await asyncio.wait({working})
    if leaves:
        await worker.sign_off()
    if not working.cancelled():
        working.result()  # it ended by itself: say why
