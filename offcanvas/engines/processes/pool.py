"""Processes for the tasks: one task in each at a time, and each can be killed.

A hard time limit, ``revoke(terminate=True)`` and the kernel's lack of memory each kill a process;
only its own task is lost, and another process takes its place. A ``ProcessPoolExecutor`` that loses
a process fails all the work it has, and hands each call and each answer from thread to thread: four
times the CPU of the socket that leads to each process here.

Processes come from a fork server: one forked from a process full of threads can deadlock. The fork
server imports the app's module once, so that a new process is there in milliseconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, TypeVar

from offcanvas.engines.processes import process
from offcanvas.engines.task_runtime import exited
from offcanvas.errors import EngineError

Result = TypeVar("Result")


class ProcessLostError(EngineError):
    """A process of the worker has died with the task it ran; the text is how, in Celery's words."""


class OutOfTimeError(EngineError):
    """A task was killed at its time limit."""


class _Process:
    """One process, started when it is needed."""

    def __init__(
        self, context: ForkServerContext, target: str, settings: Mapping[str, Any]
    ) -> None:
        self._context = context
        self._given = (target, dict(settings), list(sys.path), dict(os.environ))
        self._process: ForkServerProcess | None = None
        self._answers: asyncio.StreamReader
        self._calls: asyncio.StreamWriter

    async def start(self) -> None:
        """See that it is there."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            started = self._context.Process(target=process.serve, args=(theirs, *self._given))
            started.start()
        self._answers, self._calls = await asyncio.open_connection(sock=ours)
        self._process = started

    async def call(self, work: Callable[..., Result], *args: Any) -> Result:
        """Do the work, once it is there.

        Raises:
            ProcessLostError: the process has died, or could not begin.
        """
        try:
            self._calls.write(pickle.dumps((work, args)))
            size = int.from_bytes(await self._answers.readexactly(process.SIZE))
            answer = await self._answers.readexactly(size)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ProcessLostError(exited(await self._end())) from error
        except asyncio.CancelledError:
            self.drop()  # nobody would read the answer
            raise
        result, failure, where = pickle.loads(answer)  # noqa: S301  # from a process of our own
        if failure is not None:
            failure.add_note(where)
            raise failure
        return result  # type: ignore[no-any-return]  # it is what work has returned

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()

    async def _end(self) -> int:
        ended = self._process
        self.drop()
        if ended is None:
            return 0
        await asyncio.to_thread(ended.join)
        return ended.exitcode or 0

    def drop(self) -> None:
        """End it for good; there is another one when it is needed."""
        if self._process is not None:
            self._process.kill()
            self._calls.close()
            self._process = None

    async def stop(self) -> None:
        """End the process when its work is done."""
        if self._process is not None:
            self._calls.close()
            await asyncio.to_thread(self._process.join)


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
            await one.start()
            loop = asyncio.get_running_loop()
            result = loop.create_task(one.call(work, *args))
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
        finally:
            self._idle.put_nowait(one)


async def _killed(one: _Process, result: asyncio.Task[Any]) -> None:
    one.kill()
    try:
        await asyncio.gather(result, return_exceptions=True)
    finally:
        one.drop()


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
            for one in processes:
                await one.start()
            await asyncio.gather(*(one.call(os.getpid) for one in processes))
        except ProcessLostError as error:
            raise EngineError(
                f"a process of the worker cannot start: importing {target} fails there"
            ) from error
        yield Pool(processes)
    finally:
        for one in processes:
            await one.stop()


def _context(module: str) -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module, process.__name__])
    return context
