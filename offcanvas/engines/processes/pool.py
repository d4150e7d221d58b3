"""Processes for the tasks: one task in each at a time, and each can be killed.

A hard time limit, ``revoke(terminate=True)`` and the kernel's lack of memory each kill a process;
only its own task is lost, and another process takes its place. A ``ProcessPoolExecutor`` that loses
a process fails all the work it has, and hands each call and each answer from thread to thread: four
times the CPU of the socket that leads to each process here.

Processes come from a fork server: one forked from a process full of threads can deadlock. The fork
server imports what they need once (``preload``), so that a new process is there in milliseconds.
"""

from __future__ import annotations

import asyncio
import atexit
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from multiprocessing import current_process
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from types import ModuleType
from typing import Any, TypeVar

from offcanvas.celery_app.task_runtime import exited
from offcanvas.engines.processes import preload, process
from offcanvas.engines.processes.board import Board
from offcanvas.errors import EngineError
from offcanvas.servers.base import private_folder

Result = TypeVar("Result")

#: Seconds in which a process has stopped that was told to.
_STOPS = 0.005


class ProcessLostError(EngineError):
    """A process of the worker has died with the task it ran; the text is how, in Celery's words."""


class OutOfTimeError(EngineError):
    """A task was killed at its time limit."""


class PoolProcess:
    """One process, started when it is needed."""

    def __init__(
        self, context: ForkServerContext, target: str, settings: Mapping[str, Any]
    ) -> None:
        self.board = Board.new(context)
        self._context = context
        self._given = (target, dict(settings), list(sys.path), dict(os.environ))
        self._process: ForkServerProcess | None = None
        self._ready = False
        self._answers: asyncio.StreamReader
        self._calls: asyncio.StreamWriter

    async def start(self) -> None:
        """See that it is there."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs, _without_the_script():
            given = (theirs, self.board.shared, *self._given)
            started = self._context.Process(target=process.serve, args=given)
            # The first one starts the fork server as well, which has this environment for ever;
            # a process has the one that it is given.
            os.environ[process.FORK_SERVER] = "1"
            try:
                started.start()
            finally:
                del os.environ[process.FORK_SERVER]
        self._answers, self._calls = await asyncio.open_connection(sock=ours)
        self._process, self._ready = started, False

    async def ready(self) -> None:
        """Return once it has imported the app and waits for work: that is no task's own time.

        Raises:
            ProcessLostError: it has died, or could not begin.
        """
        if not self._ready:
            await self.call(os.getpid)
            self._ready = True

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

    async def frozen(self, still: Callable[[], bool]) -> bool:
        """Stop the process and ask whether it is ``still`` so; if not it goes on."""
        if self._process is None or self._process.pid is None:
            return False
        os.kill(self._process.pid, signal.SIGSTOP)
        await asyncio.sleep(_STOPS)
        if still():
            return True
        os.kill(self._process.pid, signal.SIGCONT)
        return False

    async def _end(self) -> int:
        ended = self._process
        self.drop()
        if ended is None:
            return 0
        await _ended(ended)
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
            await _ended(self._process)


async def _ended(process: ForkServerProcess) -> None:
    # No thread: there are no new ones at the interpreter's exit, when a switch may be closed.
    while process.exitcode is None:
        await asyncio.sleep(0.005)


class Pool:
    """Does what it is given in one of its processes."""

    def __init__(self, processes: list[PoolProcess]) -> None:
        self._all = processes
        self._idle: asyncio.LifoQueue[PoolProcess] = asyncio.LifoQueue()
        for one in processes:
            self._idle.put_nowait(one)

    @property
    def at_work(self) -> bool:
        """Whether a process does something now."""
        return self.busy > 0

    @property
    def busy(self) -> int:
        """How many do something now."""
        return len(self._all) - self._idle.qsize()

    def kill(self) -> None:
        """End what all processes are doing now; from any thread."""
        for one in self._all:
            one.kill()

    async def do(
        self, work: Callable[..., Result], *args: Any, limit: float | None = None,
        patient: Callable[[], bool] = lambda: False, begun: Callable[[], None] = lambda: None,
    ) -> Result:  # fmt: skip
        """Call ``work(*args)`` in a process and return its result.

        Args:
            work: a function of a module that the process can import.
            *args: plain data.
            limit: seconds after which the process is killed; they begin with the work, as Celery's
                do, and not with a process that has to be started for it.
            patient: asked when the caller is cancelled: whether to let the work end. Otherwise
                the process is killed.
            begun: called when a process is there for it.

        Raises:
            OutOfTimeError: the process was killed after ``limit``.
            ProcessLostError: the process has died.
        """
        async with self.process() as one:
            begun()
            await _awaited(one, one.ready(), None, patient)
            return await _awaited(one, one.call(work, *args), limit, patient)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[PoolProcess]:
        """One of the processes, there and idle, for as long as it is needed."""
        one = await self._idle.get()
        try:
            await one.start()
            yield one
        finally:
            self._idle.put_nowait(one)


async def _awaited(
    one: PoolProcess,
    asked: Coroutine[Any, Any, Result],
    limit: float | None,
    patient: Callable[[], bool],
) -> Result:
    """What the process answers; see ``Pool.do``."""
    loop = asyncio.get_running_loop()
    result = loop.create_task(asked)
    end = None if limit is None else loop.time() + limit
    while not result.done():
        left = None if end is None else max(0.0, end - loop.time())
        try:
            done, _ = await asyncio.wait({result}, timeout=left)
        except asyncio.CancelledError:
            if not patient():
                await killed(one, result)
                raise
        else:
            if not done:
                await killed(one, result)
                raise OutOfTimeError(f"killed after {limit:g} s")
    return result.result()


async def killed(one: PoolProcess, result: asyncio.Task[Any]) -> None:
    """Kill it, and wait until what it was doing is known to be lost."""
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
    if process.importing:
        raise EngineError(
            f"importing {process.importing[0]} starts a pool of processes, each of which imports "
            f"it again: reroute in a function, or under if __name__ == '__main__'"
        )
    context = _context(target.partition(":")[0], str(settings.get("result_backend", "")))
    processes = [PoolProcess(context, target, settings) for _ in range(count)]
    try:
        try:
            for one in processes:
                await one.start()
            await asyncio.gather(*(one.ready() for one in processes))
        except (ProcessLostError, process.CannotBeginError, OSError, EOFError) as error:
            raise EngineError(
                f"a process of the worker cannot start: importing {target} fails there with {error}"
            ) from error
        yield Pool(processes)
    finally:
        for one in processes:
            await one.stop()


def _context(module: str, result_backend: str) -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    _have_a_short_place()
    context.set_forkserver_preload([preload.__name__])
    with preload.preloading(module, result_backend):
        ensure_running()
    return context


def _have_a_short_place() -> None:
    """Where multiprocessing has its sockets, whose paths are limited; gone when this process is.

    Its own place is below TMPDIR, however long that is.
    """
    settings = current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001  # there is no other way to set it
    if settings.get("tempdir") is None:
        settings["tempdir"] = str(private_folder("pool"))
        atexit.register(shutil.rmtree, settings["tempdir"], ignore_errors=True)


@contextmanager
def _without_the_script() -> Iterator[None]:
    """Start a process that does not run the user's script a second time.

    multiprocessing has each process import the script, for what is pickled from it. Nothing here
    is, and a script that reroutes without a guard (``if __name__ == "__main__"``) would reroute in
    each process.
    """
    script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
