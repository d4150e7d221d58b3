"""Processes for the tasks: one task in each at a time, and each can be killed.

One process for each executor, because a ``ProcessPoolExecutor`` that loses a process fails all the
work it has. A hard time limit, ``revoke(terminate=True)`` and the kernel's lack of memory each
kill a process; only its own task is lost, and another process takes its place.

Processes come from a fork server: one forked from a process full of threads can deadlock. The fork
server imports the app's module once, so that a new process is there in milliseconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from offcanvas.engines.processes import process
from offcanvas.errors import EngineError

Result = TypeVar("Result")


class ProcessLostError(EngineError):
    """A process of the worker has died with the task it ran."""


class OutOfTimeError(EngineError):
    """A task was killed at its time limit."""


class _Process:
    """One process, started when it is needed."""

    def __init__(self, context: BaseContext, target: str, settings: Mapping[str, Any]) -> None:
        self._make = partial(
            ProcessPoolExecutor,
            1,
            mp_context=context,
            initializer=process.enter,
            initargs=(target, dict(settings), list(sys.path), dict(os.environ)),
        )
        self._executor = self._make()
        self._pid: int | None = None

    async def call(self, work: Callable[..., Result], *args: Any) -> asyncio.Future[Result]:
        """Begin the work; the future is its result.

        Raises:
            BrokenExecutor: the process cannot be started.
        """
        loop = asyncio.get_running_loop()
        if self._pid is None:
            self._pid = await loop.run_in_executor(self._executor, os.getpid)
        return loop.run_in_executor(self._executor, work, *args)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def renew(self) -> None:
        """A new process in the place of one that has died."""
        self._executor.shutdown(wait=False)
        self._executor, self._pid = self._make(), None

    def stop(self) -> None:
        """End the process when its work is done."""
        self._executor.shutdown(wait=True)


class Pool:
    """Does what it is given in one of its processes."""

    def __init__(self, processes: list[_Process]) -> None:
        self._all = processes
        self._idle: asyncio.LifoQueue[_Process] = asyncio.LifoQueue()
        for one in processes:
            self._idle.put_nowait(one)

    def kill(self) -> None:
        """End what all processes are doing now; from any thread."""
        for one in self._all:
            one.kill()

    async def do(
        self, work: Callable[..., Result], *args: Any, limit: float | None = None,
        patient: Callable[[], bool] = lambda: False,
    ) -> Result:  # fmt: skip
        """Call ``work(*args)`` in a process and return its result.

        Args:
            work: a function of a module that the process can import.
            *args: plain data.
            limit: seconds after which the process is killed.
            patient: asked when the caller is cancelled: whether to let the work end. Otherwise
                the process is killed.

        Raises:
            OutOfTimeError: the process was killed after ``limit``.
            ProcessLostError: the process has died.
        """
        one = await self._idle.get()
        try:
            result = await one.call(work, *args)
            loop = asyncio.get_running_loop()
            end = None if limit is None else loop.time() + limit
            while not result.done():
                left = None if end is None else max(0.0, end - loop.time())
                try:
                    done, _ = await asyncio.wait({result}, timeout=left)
                except asyncio.CancelledError:
                    if not patient():
                        await _killed(one, result)
                        raise
                else:
                    if not done:
                        await _killed(one, result)
                        raise OutOfTimeError(f"killed after {limit:g} s")
            return result.result()
        except BrokenExecutor as error:
            one.renew()
            raise ProcessLostError("a process died while it ran the task") from error
        finally:
            self._idle.put_nowait(one)


async def _killed(one: _Process, result: asyncio.Future[Any]) -> None:
    one.kill()
    try:
        with suppress(BrokenExecutor):
            await result
    finally:
        one.renew()


@asynccontextmanager
async def process_pool(count: int, target: str, settings: Mapping[str, Any]) -> AsyncIterator[Pool]:
    """``count`` processes, all there; at the end they are gone.

    Args:
        count: how many tasks run at a time.
        target: where a process finds the app, ``module:name``.
        settings: what the app's configuration is updated with there.

    Raises:
        EngineError: a process cannot be started; most often the app does not import there.
    """
    context = _context(target.partition(":")[0])
    processes = [_Process(context, target, settings) for _ in range(count)]
    try:
        try:
            for ready in [await one.call(os.getpid) for one in processes]:
                await ready
        except BrokenExecutor as error:
            raise EngineError(
                f"a process of the worker cannot start: importing {target} fails there"
            ) from error
        yield Pool(processes)
    finally:
        for one in processes:
            await asyncio.to_thread(one.stop)


def _context(module: str) -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module, process.__name__])
    return context
