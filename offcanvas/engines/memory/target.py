"""The target of ``reroute(app, to="memory")``: tasks in a pool of processes, no broker, no worker.

The walk runs on an event loop in a thread of the caller's process and ends with it; tasks run in
processes apart, where they can be interrupted and killed, and write to the app's own result
backend, which has to be one that processes share.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from offcanvas import metrics
from offcanvas.canvas.calls import Branch, ChordFailure, End, ErrorWire, TaskCall, TaskOutcome
from offcanvas.canvas.nodes import Value
from offcanvas.canvas.planner import result_id
from offcanvas.canvas.stamps import names_of, only_stamped
from offcanvas.celery_app.importable import importable, task_modules
from offcanvas.celery_app.rate_limits import require_rate_limits
from offcanvas.celery_app.storable import count_if_not_storable
from offcanvas.engines.processes import process
from offcanvas.engines.processes.attempt import attempt
from offcanvas.engines.processes.pool import ProcessLostError, process_pool
from offcanvas.engines.processes.rates import Rates
from offcanvas.engines.walker import Walker
from offcanvas.errors import EngineUnavailable
from offcanvas.metrics.sight import Sight, Waiting

if TYPE_CHECKING:
    from celery import Celery

Result = TypeVar("Result")


class PoolTarget:
    """Takes canvases as they are submitted and walks them side by side.

    Raises:
        BadTarget: no module has the app.
        UsageError: a task has a rate_limit that says nothing.
        EngineError: a process cannot be started.
    """

    def __init__(self, app: Celery, *, strict: bool = False, processes: int | None = None) -> None:
        target = importable(app)
        self.app = app
        self.strict = strict
        self.revoked: set[str] = set()
        require_rate_limits(app, app.tasks)
        self.rates = Rates(app)
        #: What runs, with the names by which it may be revoked, by the id of the task.
        self.at_work: dict[str, tuple[set[str], asyncio.Task[dict[str, Any]]]] = {}
        #: Each with the moment at which it has begun.
        self._walks: dict[asyncio.Task[Any], float] = {}
        #: Those that have a result, by its id.
        self._names: Counter[str] = Counter()
        self._failed: BaseException | None = None
        self._stack = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="offcanvas", daemon=True)
        self._thread.start()
        metrics.knows("memory", app.tasks)
        count = processes or os.cpu_count() or 1
        settings = {"result_backend": app.conf.result_backend, "include": task_modules(app)}
        pool = process_pool(count, target, settings)
        try:
            self.pool = self._wait(self._stack.enter_async_context(pool))
        except BaseException:
            self._end()
            raise

    def _wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def start(self, branch: Branch) -> None:
        """Walk ``branch``; returns at once.

        Raises:
            EngineUnavailable: an earlier walk has broken, as when the result backend is down.
        """
        self._raise_if_broken()
        self._loop.call_soon_threadsafe(self.begin, branch)

    def begin(self, branch: Branch, by: str | None = None) -> None:
        """On the loop: walk a branch until it ends.

        Two calls with the same task_id are one task while that runs, and both callers get its
        result. ``by`` is the id of the walk whose task has sent it: one that sends itself again
        runs again.
        """
        found = result_id(branch.node)
        if found is not None and found in self._names and found != by:
            return
        task = self._loop.create_task(Walker(PoolDriver(self, found)).walk(branch))
        self._walks[task] = time.time()
        if found is not None:
            self._names[found] += 1
        task.add_done_callback(partial(self._ended, found))

    def _ended(self, found: str | None, task: asyncio.Task[Any]) -> None:
        if found is not None:
            self._names[found] -= 1
            if not self._names[found]:
                del self._names[found]
        self._walks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            self._failed = task.exception()

    def _raise_if_broken(self) -> None:
        if self._failed is not None:
            raise EngineUnavailable(f"the pool of processes has broken: {self._failed!r}")

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tasks of these ids that have not begun will not run; others end if ``terminate``."""
        self._loop.call_soon_threadsafe(self.tell_revoked, ids, terminate)

    def tell_revoked(self, ids: Sequence[str], terminate: bool) -> None:
        """``revoke``, on the loop."""
        self.revoked.update(ids)
        for work in self._at_work(ids) if terminate else ():
            work.cancel()

    def _at_work(self, names: Sequence[str]) -> list[asyncio.Task[dict[str, Any]]]:
        return [work for call, work in self.at_work.values() if call & set(names)]

    def look(self) -> Sight:
        """What metrics tell of this process, which is the whole of the engine."""
        count_if_not_storable(self.app, "memory")
        since = list(self._walks.values())
        waits = max(0, len(self.at_work) - self.pool.busy)
        return Sight(
            queues={"pool": Waiting(waits)},
            workers=1,
            canvases=Waiting(len(since), min(since, default=None)),
        )

    def close(self) -> None:
        """Wait until all that was submitted has ended, then stop the processes.

        Raises:
            EngineUnavailable: a walk has broken.
        """
        self._wait(self._rest())
        self._end()
        self._raise_if_broken()

    async def _rest(self) -> None:
        while self._walks:
            await asyncio.wait(list(self._walks))
        await self._stack.aclose()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PoolDriver:
    """The walker's hands: each task in a process of the pool."""

    def __init__(self, target: PoolTarget, name: str | None = None) -> None:
        self.target = target
        self._name = name

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run in a process, unless it has been revoked."""
        target, raw = self.target, {"call": call.to_json(), "strict": self.target.strict}
        wait = target.rates.reserve(call)
        if wait:
            await asyncio.sleep(wait)
        if not target.revoked.isdisjoint(names_of(call)):
            stamped = only_stamped(call, target.revoked)
            return await self._do(process.revoke_task, {**raw, "stamped": stamped})
        running = asyncio.create_task(self._attempt(call, raw))
        entry = target.at_work[call.task_id] = (set(names_of(call)), running)
        try:
            outcome = TaskOutcome.from_json(await running)
        except asyncio.CancelledError:  # by a revoke; walks themselves are never cancelled
            return await self._do(process.revoke_task, {**raw, "terminated": True})
        finally:
            if target.at_work.get(call.task_id) is entry:
                del target.at_work[call.task_id]
        for one in outcome.revoked:
            target.tell_revoked(one["ids"], one["terminate"])
        return outcome

    async def _attempt(self, call: TaskCall, raw: Mapping[str, Any]) -> dict[str, Any]:
        while True:
            with suppress(ProcessLostError):  # again, in another process
                return await attempt(self.target.app, self.target.pool, call, raw, engine="memory")

    async def _do(
        self, work: Callable[[Mapping[str, Any]], dict[str, Any]], raw: Mapping[str, Any]
    ) -> TaskOutcome:
        return TaskOutcome.from_json(await self.target.pool.do(work, raw))

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """Errbacks run in a process too."""
        raw = {"failure": failure.to_json(), "strict": self.target.strict}
        return await self._do(process.fail_chord, raw)

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """Store from a process, which has the result backend open."""
        raw = {"task_ids": list(task_ids), "error": error, "culprit": culprit}
        await self.target.pool.do(process.store_failures, raw)

    async def carry(self, values: list[Value]) -> Value:
        """They themselves: nothing here limits their size."""
        return values

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
        self.target.begin(branch, self._name)

    async def at_step(self, rest: Branch) -> None:
        """A chain of any length is walked here."""
