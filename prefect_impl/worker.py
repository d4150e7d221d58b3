"""The worker: takes flow runs from the work pool until it is told to stop.

Prefect's own ways to execute a served flow with N processes were measured first: 22 November 2026,
Prefect 3.8.8, Python 3.11, two cores that others were using too, N = 2. Seconds from the creation
of a flow run to its end; in brackets, of which inside the flow:

| flow run in                | mapped tasks in                  | 25 x 0.1 s CPU | 100 no-ops  |
|----------------------------|----------------------------------|----------------|-------------|
| subprocess (`serve`)       | ProcessPoolTaskRunner            | 17-21 (12-16)  | 16.5 (12.7) |
| subprocess (`serve`)       | PrefectTaskRunner, 2 task workers| 17.1 (11.8)    | 30.5 (26.0) |
| subprocess (`serve`)       | threads, steps in a process pool | 17-26 (8-16)   | 16.3 (7.6)  |
| thread of a worker         | threads, steps in a resident pool| 3.5 (2.9)      | 1.4 (0.4)   |

A subprocess per flow run and per pool process imports Prefect again, three seconds of CPU each.
Threads alone would be no N: a PDF is made by Python code that holds the GIL. Background tasks go
through the server one by one, and `TaskWorker` turns NO_CACHE into the default policy.

So: a worker type of our own, on Prefect's documented base class, that executes flow runs in
threads of its own process. Flows here only orchestrate; what is heavy or may crash is in the step
processes. What is given up: a flow run cannot be cancelled from the UI by killing its process.

SIGTERM: the worker asks for no more flow runs and lets those in hand go on for `GRACE_SECONDS`;
then no further step begins, the steps in hand end, and flow runs that were cut short are given
back as AwaitingRetry, for another worker to begin again (steps are idempotent). Prefect's own
`Runner` does not wait: its handler calls `stop()` without awaiting it, and exits. SIGTERM is for
the worker's process alone (systemd: `KillMode=mixed`).

SIGKILL: the step processes end with the worker; the flow run stays Running until another worker
finds that it is lost, and gives it back (`prefect_impl.reconcile`). A server that is out of reach
is waited for; what could not be told meanwhile is given back as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
import httpx
from anyio import CapacityLimiter
from prefect import Flow, Task
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.workers.base import (
    BaseJobConfiguration,
    BaseVariables,
    BaseWorker,
    BaseWorkerResult,
)

from prefect_impl import tasks
from prefect_impl.connection import connect, not_usable
from prefect_impl.deployments import register
from prefect_impl.names import (
    ENGINE,
    HEARTBEAT_SECONDS,
    SWEEP_EVERY,
    TASK_RUNS,
    WORK_POOL,
    WORKER_TYPE,
)
from prefect_impl.processes import StepProcesses
from prefect_impl.reconcile import reconcile
from prefect_impl.registry import FLOWS
from shared import metrics
from shared.errors import UsageError

log = logging.getLogger(__name__)

# Flow runs in hand at a time. They only wait; the steps of all of them share N processes.
FLOW_RUNS = 8
# How long flow runs in hand may go on after SIGTERM; then no further step begins.
GRACE_SECONDS = 30.0


class InProcessWorker(BaseWorker[BaseJobConfiguration, BaseVariables, BaseWorkerResult]):
    """Executes flow runs in threads of its own process."""

    type = WORKER_TYPE

    def __init__(self, concurrency: int, processes: StepProcesses) -> None:
        super().__init__(
            WORK_POOL,
            name=f"{socket.gethostname()}-{os.getpid()}",
            limit=FLOW_RUNS,
            prefetch_seconds=0,
            heartbeat_interval_seconds=HEARTBEAT_SECONDS,
        )
        runner: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=concurrency)
        self._flows = {name: flow.with_options(task_runner=runner) for name, flow in FLOWS.items()}
        self._names: dict[UUID, str] = {}  # of flows, by id
        self._processes = processes
        self._threads = CapacityLimiter(FLOW_RUNS)
        self._draining = False
        self._in_hand: set[UUID] = set()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask for work, unless this worker is about to stop."""
        return [] if self._draining else await super().get_and_submit_flow_runs()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> BaseWorkerResult:
        """Execute the flow run to its end; the engine itself tells the server about its states."""
        self._in_hand.add(flow_run.id)
        try:
            return await self._execute(flow_run, task_status)
        finally:
            self._in_hand.discard(flow_run.id)

    async def _execute(
        self, flow_run: FlowRun, task_status: anyio.abc.TaskStatus[Any] | None
    ) -> BaseWorkerResult:
        if task_status is not None:
            task_status.started(self.name)  # becomes the flow run's infrastructure_pid
        execute = partial(
            run_flow, await self._flow_of(flow_run), flow_run=flow_run, return_type="state"
        )
        try:
            state = await anyio.to_thread.run_sync(execute, limiter=self._threads)
        except Abort as refusal:  # no Exception: it would end the worker
            log.warning("flow run %s: the server refused its state: %s", flow_run.name, refusal)
            await give_back(self.client, flow_run)
            return BaseWorkerResult(identifier=self.name, status_code=0)
        if self._processes.closed and isinstance(state, State) and not state.is_completed():
            await self.client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)
        before = int(flow_run.labels.get(TASK_RUNS, 0))  # it may have been cut short once
        count = before + tasks.task_runs_of(flow_run.id)
        await self.client.update_flow_run_labels(flow_run.id, {TASK_RUNS: count})
        return BaseWorkerResult(identifier=self.name, status_code=0)

    async def _flow_of(self, flow_run: FlowRun) -> Flow[..., Any]:
        if flow_run.flow_id not in self._names:
            self._names[flow_run.flow_id] = (await self.client.read_flow(flow_run.flow_id)).name
        return self._flows[self._names[flow_run.flow_id]]

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """Not needed, and one of the requests that a server on SQLite refuses when it is busy."""

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
        await give_back(self.client, flow_run)

    async def keep_reconciling(self) -> None:
        """Look for lost flow runs, now and with every heartbeat, until cancelled."""
        while True:
            look = partial(reconcile, self.name, self._mine)
            try:
                for run in await anyio.to_thread.run_sync(look, abandon_on_cancel=True):
                    log.warning("flow run %s was lost: it is begun anew", run.name)
            except (httpx.HTTPError, UsageError) as error:  # it may be gone for a while
                log.warning("could not look for lost flow runs: %s", error)
            await anyio.sleep(HEARTBEAT_SECONDS)

    def _mine(self) -> set[UUID]:
        """The flow runs in hand, and those on their way there."""
        return self._in_hand | self._submitting_flow_run_ids

    async def drain(self) -> None:
        """Take no more flow runs, and return once those in hand have ended.

        After `GRACE_SECONDS` no further step begins; the steps in hand end, and the flow runs
        that were cut short go back to the server, for another worker to begin again.
        """
        self._draining = True
        with anyio.move_on_after(GRACE_SECONDS):
            await self._until_idle()
        self._processes.close_gate()
        await self._until_idle()

    async def _until_idle(self) -> None:
        while self.limiter.borrowed_tokens:  # one a flow run, from its acceptance to its end
            await anyio.sleep(0.05)

    async def sign_off(self) -> None:
        """Have the server forget this worker, instead of missing its heartbeats.

        Once it works no more: a heartbeat that came later would have the server know it again.
        """
        try:
            async with get_client() as client:
                await client.request(
                    "DELETE",
                    "/work_pools/{work_pool_name}/workers/{name}",
                    path_params={"work_pool_name": WORK_POOL, "name": self.name},
                )
        except httpx.HTTPError as error:  # it is stopping, too; the worker goes all the same
            log.warning("could not sign off from the Prefect server: %s", error)


async def give_back(client: PrefectClient, flow_run: FlowRun) -> None:
    """Have the flow run begun again, unless it has ended; where that fails it is found lost."""
    with suppress(httpx.HTTPError):
        state = (await client.read_flow_run(flow_run.id)).state
        if state is None or not state.is_final():
            await client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)


def run_worker(concurrency: int) -> None:
    """Work in the foreground until SIGTERM or Ctrl-C; the steps in hand end first.

    Raises:
        UsageError: the server's address is not set, or nothing answers there.
    """
    try:
        with connect() as client:
            register(client)
    except httpx.HTTPError as error:
        raise not_usable(error) from error
    _begin_counts()
    processes = StepProcesses(concurrency)
    tasks.use(processes)
    try:
        asyncio.run(_work(concurrency, processes))
    finally:
        processes.close()


def _begin_counts() -> None:
    meter = metrics.meter()
    if meter is not None:
        meter.knows(
            ENGINE, [step for step in vars(tasks) if isinstance(getattr(tasks, step), Task)]
        )
        meter.schedule(ENGINE, "sweep", SWEEP_EVERY.total_seconds())


async def _work(concurrency: int, processes: StepProcesses) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await _work_until(stop, InProcessWorker(concurrency, processes))
        except* (RuntimeError, httpx.HTTPError) as errors:
            # Prefect's worker gives up on a server that has not answered a dozen times.
            log.warning("the worker begins again in %s s: %r", HEARTBEAT_SECONDS, errors.exceptions)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), HEARTBEAT_SECONDS)


async def _work_until(stop: asyncio.Event, worker: InProcessWorker) -> None:
    working = asyncio.create_task(worker.start())
    reconciling = asyncio.create_task(worker.keep_reconciling())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping, reconciling}, return_when=asyncio.FIRST_COMPLETED)
    leaves = not working.done() and not reconciling.done()
    if leaves:
        await worker.drain()
    working.cancel()
    stopping.cancel()
    reconciling.cancel()
    await asyncio.wait({working, stopping, reconciling})
    if leaves:
        await worker.sign_off()
    for task in (working, reconciling):
        if not task.cancelled():
            task.result()  # it ended by itself: say why
