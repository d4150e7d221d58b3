"""A worker on Temporal for the time of a run, and a server if the user's environment names none."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from temporalio.worker import Worker

from offcanvas.engines.temporal.caller import Caller, caller
from offcanvas.engines.temporal.connection import names_a_server
from offcanvas.engines.temporal.plugin import CanvasPlugin
from offcanvas.errors import EngineUnavailable
from offcanvas.servers.base import ServerError
from offcanvas.servers.temporal import temporal

if TYPE_CHECKING:
    from celery import Celery


@contextmanager
def private_worker(
    app: Celery, address: str | None = None, *, processes: int = 2, private: bool = False
) -> Iterator[Caller]:
    """A worker for ``app`` in a thread, its tasks in processes, and a server if need be.

    Args:
        app: the app, a global of a module that processes can import.
        address: ``host:port`` of a server; without it the one that Temporal's configuration names,
            or else a private one.
        processes: how many tasks run at a time.
        private: a private server, whatever is configured.

    Raises:
        BadTarget: processes cannot import the app.
        EngineUnavailable: no server answers, or a private one cannot be started.
        EngineError: a process cannot be started.
    """
    plugin = CanvasPlugin(app, processes=processes)
    with ExitStack() as stack:
        if address is None and (private or not names_a_server()):
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
