"""Run a canvas on Temporal from anywhere, with a worker of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from temporalio.client import Client
from temporalio.worker import Worker

from offcanvas.engines.base import Outcome, Submission
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prepare import prepare_submission, vet
from offcanvas.engines.private_results import private_results
from offcanvas.engines.temporal.client import connect, finish, packed_job, start_canvas
from offcanvas.engines.temporal.plugin import CanvasPlugin
from offcanvas.engines.temporal.support import SUPPORT
from offcanvas.engines.walker import Branch
from offcanvas.errors import EngineUnavailable
from offcanvas.servers.base import ServerError
from offcanvas.servers.temporal import temporal

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node

Result = TypeVar("Result")

#: Results are all there when the canvas has ended, so that one look is enough.
_ONE_LOOK = 0.2


class TemporalEngine:
    """Runs a canvas on Temporal.

    On the server that TEMPORAL_ADDRESS names, else on a private one for the time of the run. The
    worker is this engine's own, on a task queue of its own, and results are kept in a folder:
    nothing of the user's broker or result backend is touched.
    """

    name = "temporal"
    support = SUPPORT

    def run(self, submission: Submission) -> Outcome:
        """Run to the end; see ``Engine.run``."""
        self.vet(submission)
        with self.session(submission.app) as run:
            return run(submission)

    @contextmanager
    def session(self, app: Celery) -> Iterator[Callable[[Submission], Outcome]]:
        """See ``Engine.session``."""
        with private_results(app), deployment(app) as calls:
            yield lambda submission: self._run(submission, calls)

    def vet(self, submission: Submission) -> None:
        """See ``Engine.vet``; a canvas must also fit into what the server takes."""
        plan = vet(submission, self).plan
        if plan is not None:
            packed_job(submission.app, Branch(plan), strict=submission.strict)

    def _run(self, submission: Submission, calls: Caller) -> Outcome:
        prepared = prepare_submission(submission, self)
        ended = prepared.plan is None or calls.walk(
            submission.app, prepared.plan, strict=submission.strict, timeout=submission.timeout
        )
        outcome = outcome_of(prepared.result, timeout=_ONE_LOOK, interval=_ONE_LOOK / 4)
        return replace(outcome, complete=ended, plan=prepared.plan)


class Caller:
    """Starts canvases from code that is not asynchronous, and waits for them."""

    def __init__(self, client: Client, task_queue: str, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.task_queue = task_queue
        self._loop = loop

    def walk(
        self, app: Celery, plan: Node, *, strict: bool = False, timeout: float | None = None
    ) -> bool:
        """Walk a prepared plan and everything it starts; False when ``timeout`` came first."""
        return self.wait(self._walk(app, plan, strict, timeout))

    async def _walk(self, app: Celery, plan: Node, strict: bool, timeout: float | None) -> bool:
        handle = await start_canvas(
            self.client, app, plan, task_queue=self.task_queue, strict=strict
        )
        try:
            async with asyncio.timeout(timeout):
                await finish(self.client, handle)
        except TimeoutError:
            await handle.terminate("its caller waits no longer")
            return False
        except asyncio.CancelledError:
            await handle.terminate("its caller was interrupted")
            raise
        return True

    def wait_while(self, coroutine: Coroutine[Any, Any, None], repeat: Callable[[], None]) -> None:
        """Wait for it, and do ``repeat`` a few times a second meanwhile."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        while not future.done():
            repeat()
            with suppress(TimeoutError):
                future.result(0.2)
        future.result()

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """What a coroutine comes to in the loop of the client."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # of use only if this thread was interrupted


@contextmanager
def caller(address: str | None, task_queue: str) -> Iterator[Caller]:
    """A client of the server at ``address`` (see ``connect``) with a thread of its own.

    Raises:
        EngineUnavailable: no server answers.
    """
    with _loop_in_a_thread() as loop:
        client = asyncio.run_coroutine_threadsafe(connect(address), loop).result()
        yield Caller(client, task_queue, loop)


@contextmanager
def deployment(app: Celery, address: str | None = None, *, processes: int = 2) -> Iterator[Caller]:
    """A worker for ``app`` in a thread, its tasks in processes, and a server if need be.

    Args:
        app: the app, a global of a module that processes can import.
        address: ``host:port`` of a server; without it that of TEMPORAL_ADDRESS, or a private one.
        processes: how many tasks run at a time.

    Raises:
        BadTarget: processes cannot import the app.
        EngineUnavailable: no server answers, or a private one cannot be started.
        EngineError: a process cannot be started.
    """
    plugin = CanvasPlugin(app, processes=processes)
    with ExitStack() as stack:
        if address is None and not os.environ.get("TEMPORAL_ADDRESS"):
            try:
                address = stack.enter_context(temporal()).url
            except ServerError as error:
                raise EngineUnavailable(" ".join(str(error).split())) from error
        calls = stack.enter_context(caller(address, f"offcanvas-{uuid.uuid4()}"))
        worker = calls.wait(_worker(calls, plugin))
        running = calls.wait(_begin(worker))
        try:
            calls.wait(_ready(plugin, running))
            yield calls
        except BaseException:
            # Whoever gives up, by Ctrl-C for one, does not wait for tasks that run, and need not
            # hear that they failed.
            logging.getLogger("temporalio.activity").setLevel(logging.CRITICAL)
            calls.wait_while(_end(worker, running), plugin.kill_tasks)
            raise
        calls.wait(_end(worker, running))


async def _worker(calls: Caller, plugin: CanvasPlugin) -> Worker:
    return Worker(calls.client, task_queue=calls.task_queue, plugins=[plugin])


async def _begin(worker: Worker) -> asyncio.Task[None]:
    return asyncio.create_task(worker.run())


async def _ready(plugin: CanvasPlugin, running: asyncio.Task[None]) -> None:
    while not plugin.ready and not running.done():
        await asyncio.sleep(0.01)
    if running.done():
        running.result()  # says why


async def _end(worker: Worker, running: asyncio.Task[None]) -> None:
    if not running.done():
        await worker.shutdown()
    await running


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="offcanvas-temporal", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
