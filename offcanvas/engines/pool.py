"""The target of ``reroute(app, to="memory")``: tasks in a pool of processes, no broker, no worker.

The walk runs on an event loop in a thread of the caller's process and ends with it; tasks run in
processes apart, where they can be interrupted, and write to the app's own result backend, which
has to be one that processes share.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING, Any

from offcanvas.engines import task_runtime
from offcanvas.engines.importable import importable, task_modules
from offcanvas.engines.processes import process
from offcanvas.engines.walker import (
    Branch,
    ChordFailure,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
    Walker,
)
from offcanvas.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery


def _begin(target: str, modules: list[str], path: list[str], environment: dict[str, str]) -> None:
    """In a new process: import the app as the caller has it."""
    process.enter(target, {"include": modules}, path, environment)


def _run_task(call: dict[str, Any], strict: bool) -> dict[str, Any]:
    return task_runtime.run_task(process.app(), TaskCall.from_json(call), strict=strict).to_json()


def _fail_chord(failure: dict[str, Any], strict: bool) -> dict[str, Any]:
    told = ChordFailure.from_json(failure)
    return task_runtime.fail_chord(process.app(), told, strict=strict).to_json()


def _store_failures(task_ids: Sequence[str], error: ErrorWire) -> None:
    task_runtime.store_failures(process.app(), task_ids, error)


def _revoke(call: dict[str, Any]) -> dict[str, Any]:
    return task_runtime.revoke(process.app(), TaskCall.from_json(call), "revoked").to_json()


class PoolTarget:
    """Takes canvases as they are submitted and walks them side by side."""

    def __init__(self, app: Celery, *, strict: bool = False, processes: int | None = None) -> None:
        self.strict = strict
        self.revoked: set[str] = set()
        self._running: set[asyncio.Task[Any]] = set()
        self._failed: BaseException | None = None
        self.pool = ProcessPoolExecutor(
            processes or os.cpu_count(),
            # A fork of a process with threads may copy a lock that nobody will ever release.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(importable(app), task_modules(app), sys.path, dict(os.environ)),
        )
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, name="offcanvas", daemon=True)
        self._thread.start()

    def start(self, branch: Branch) -> None:
        """Walk ``branch``; returns at once.

        Raises:
            EngineUnavailable: an earlier walk has broken, for example because a process died.
        """
        if self._failed is not None:
            raise EngineUnavailable(f"the pool of processes has broken: {self._failed!r}")
        self.loop.call_soon_threadsafe(self.begin, Walker(PoolDriver(self)).walk(branch))

    def begin(self, walk: Coroutine[Any, Any, End]) -> None:
        """On the loop: keep a walk until it ends."""
        task = self.loop.create_task(walk)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed = task.exception()

    def revoke(self, ids: Sequence[str], options: Mapping[str, Any]) -> None:
        """Tasks of these ids that have not begun will not run."""
        del options
        self.revoked.update(ids)

    def close(self) -> None:
        """Wait until all that was submitted has ended, then stop the processes.

        Raises:
            EngineUnavailable: a walk has broken.
        """
        asyncio.run_coroutine_threadsafe(self._rest(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.pool.shutdown()
        if self._failed is not None:
            raise EngineUnavailable(f"the pool of processes has broken: {self._failed!r}")

    async def _rest(self) -> None:
        while self._running:
            await asyncio.wait(self._running)


class PoolDriver:
    """The walker's hands: each task in a process of the pool."""

    def __init__(self, target: PoolTarget) -> None:
        self.target = target

    async def _in_pool(self, function: Callable[..., Any], *args: Any) -> Any:
        return await self.target.loop.run_in_executor(self.target.pool, function, *args)

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run in a process, unless it has been revoked."""
        if call.task_id in self.target.revoked:
            return TaskOutcome.from_json(await self._in_pool(_revoke, call.to_json()))
        ran = await self._in_pool(_run_task, call.to_json(), self.target.strict)
        return TaskOutcome.from_json(ran)

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """Errbacks run in a process too."""
        failed = await self._in_pool(_fail_chord, failure.to_json(), self.target.strict)
        return TaskOutcome.from_json(failed)

    async def store_failures(self, task_ids: Sequence[str], error: ErrorWire) -> None:
        """Store from a process, which has the result backend open."""
        await self._in_pool(_store_failures, list(task_ids), error)

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop."""
        await asyncio.sleep(seconds)

    def now(self) -> float:
        """The machine's clock."""
        return time.time()

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """All at once; the pool takes as many as it has processes."""
        return list(await asyncio.gather(*(walk(branch) for branch in branches)))

    def spawn(self, branch: Branch) -> None:
        """A walk of its own on the same loop."""
        self.target.begin(Walker(self).walk(branch))

    async def at_step(self, rest: Branch) -> None:
        """A chain of any length is walked here."""
