"""A worker until SIGTERM or Ctrl-C, which lets the tasks in hand end first.

The SDK installs no handlers of signals (temporalio/sdk-python#367): a worker that is simply run
dies of SIGTERM with its tasks. Celery's worker finishes them (warm shutdown), and so does this one.
A second signal, or the end of ``grace``, ends it at once: its tasks are then lost as those of a
worker that was killed, ``WorkerLostError`` or, with ``acks_late``, again in another worker.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio.worker import Worker

from offcanvas.engines.batches import Batch
from offcanvas.engines.temporal.plugin import CanvasPlugin
from offcanvas.printable import say

if TYPE_CHECKING:
    from celery import Celery
    from temporalio.client import Client

log = logging.getLogger(__name__)

#: Seconds for the worker to come to its end once its tasks have: a workflow task that is stuck
#: would hold it up for ever, and the server gives that to another worker anyway.
_WITHOUT_TASKS = 10.0


async def serve(
    client: Client,
    app: Celery,
    *,
    task_queue: str = "offcanvas",
    processes: int | None = None,
    grace: float | None = None,
    batch: Batch = None,
    ready: Callable[[], None] = lambda: None,
    **options: Any,
) -> None:
    """Work until SIGTERM or Ctrl-C; to be run in the main thread, ``asyncio.run(serve(...))``.

    Args:
        client: a client of the server, with the data converter and interceptors of the callers'.
        app: the Celery app, a global of a module that a process can import.
        task_queue: where callers send canvases: OFFCANVAS_TASK_QUEUE, or ``queues=`` of reroute.
        processes: how many tasks run at a time; one for each CPU unless given.
        grace: seconds that tasks may go on after the first signal; as long as they take unless
            given, as with Celery.
        batch: see ``CanvasPlugin``.
        ready: called when the processes are there.
        **options: further arguments of ``temporalio.worker.Worker``, plugins among them.

    Raises:
        BadTarget: no module has the app.
        EngineError: a process cannot be started.
    """
    plugin = CanvasPlugin(app, processes=processes, batch=batch)
    plugins = [plugin, *options.pop("plugins", ())]
    worker = Worker(client, task_queue=task_queue, plugins=plugins, **options)
    ended = threading.Event()
    asked = _until_asked(plugin, ended, grace)
    running = asyncio.create_task(worker.run())
    try:
        while not plugin.ready and not running.done():
            await asyncio.sleep(0.01)
        if not running.done():
            ready()
        waiting = asyncio.create_task(asked.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not running.done():
            await worker.shutdown()
        await running
    except asyncio.CancelledError:  # whoever has started this wants its end
        if not running.done():
            await worker.shutdown()
            await asyncio.wait({running})
        raise
    finally:
        ended.set()


def _until_asked(
    plugin: CanvasPlugin, ended: threading.Event, grace: float | None
) -> asyncio.Event:
    """Set by the first signal; the second ends the process, and so does a thread that watches."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: object) -> None:
        if asked.is_set() or stopping:
            _leave("its tasks were cut short")
        stopping.append(None)
        log.info("stopping: the tasks in hand end first")
        loop.call_soon_threadsafe(asked.set)
        threading.Thread(target=_watch, args=(plugin, ended, grace), daemon=True).start()

    stopping: list[None] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return asked


def _watch(plugin: CanvasPlugin, ended: threading.Event, grace: float | None) -> None:
    """End the process when the tasks have had their time, or the worker does not end after them."""
    waited = idle = 0.0
    while not ended.wait(0.1):
        waited += 0.1
        idle = 0.0 if plugin.at_work else idle + 0.1
        if plugin.at_work and grace is not None and waited >= grace:
            _leave(f"its tasks were cut short after {grace:g} s")
        if idle >= _WITHOUT_TASKS:
            _leave("a workflow task held it up", status=0)


def _leave(why: str, status: int = 1) -> None:
    say(f"offcanvas: the worker has ended: {why}", err=True)
    os._exit(status)
