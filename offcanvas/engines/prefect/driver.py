"""The walker's hands on Prefect: tasks are task runs, their code runs in the worker's processes.

All of a canvas is walked by one flow run, in one event loop. Wide groups slide through a window,
so that ten thousand members are never all begun at a time; a member that waits (``countdown``,
``self.retry``) makes room for another.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from offcanvas.engines.prefect.job import Job
from offcanvas.engines.prefect.record import Record, events_sent
from offcanvas.engines.prefect.work import Work
from offcanvas.engines.walker import (
    REPLACED,
    RETRY,
    Branch,
    ChordFailure,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
    Walker,
)

#: Members of one group that are walked at a time.
WINDOW = 100
#: Predecessors of a task that its task run names; what joins more is drawn after the last of them.
EDGES = 100
#: Task runs that are remembered for those that come after them.
REMEMBERED = 1_000
#: A tree that a task has started is walked by the same flow run, and so are the trees which that
#: one starts; from this generation on a tree has a flow run of its own, so that a task which
#: starts itself again and again does not keep one open for ever.
GENERATIONS = 10

#: The window in which the present branch has a place, and its generation.
_window: ContextVar[asyncio.Semaphore | None] = ContextVar("offcanvas_window", default=None)
_generation: ContextVar[int] = ContextVar("offcanvas_generation", default=0)


class PrefectDriver:
    """See ``walker.Driver``.

    Args:
        work: where tasks are run.
        job: what is walked.
        flow_run_id: of the flow run.
        start: starts a flow run of its own for a job.
        refresh: asks whether tasks have been revoked, and calls ``revoke``.
        tell: tells all flow runs, this one too, what a task has revoked.

    Attributes:
        again: an earlier run of this flow run was cut short; what it has done is not done twice.
    """

    def __init__(
        self,
        work: Work,
        job: Job,
        flow_run_id: UUID,
        *,
        start: Callable[[Job], Awaitable[None]],
        refresh: Callable[[], Awaitable[object]],
        tell: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.again = False
        self.revoked: set[str] = set()
        self._all_revoked = False
        self._work = work
        self._job = job
        self._flow_run_id = flow_run_id
        self._start = start
        self._refresh = refresh
        self._tell = tell
        self._slots = asyncio.Semaphore(work.slots)
        self._trees: set[asyncio.Task[Any]] = set()
        self._records: dict[str, Record] = {}
        self._running: dict[str, asyncio.Task[TaskOutcome]] = {}
        self._terminated: set[str] = set()
        self._replaced: Counter[str] = Counter()
        self._task_runs: OrderedDict[str, UUID] = OrderedDict()
        self._joined: OrderedDict[str, list[str]] = OrderedDict()

    # -- tasks

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """An attempt of a task run of the task's name."""
        async with self._slots:
            await events_sent()
            record = self._records.get(call.task_id) or Record(call, self._before(call))
            outcome = await record.attempt(lambda: self._attempt(call))
        for one in outcome.revoked:
            await self._tell(one)
        if outcome.state == RETRY:
            self._records[call.task_id] = record
        else:
            self._records.pop(call.task_id, None)
        if outcome.state == REPLACED:
            self._replaced[call.task_id] += 1
        if record.task_run_id is not None:
            _remember(self._task_runs, call.task_id, record.task_run_id)
        return outcome

    async def _attempt(self, call: TaskCall) -> TaskOutcome:
        entry = f"{call.task_id}/{call.retries}/{self._replaced[call.task_id]}"
        raw = self._raw(entry)
        if self._all_revoked or call.task_id in self.revoked:
            return await self._work.revoke_task(call, raw, terminated=False)
        task = asyncio.create_task(self._work.run_task(call, raw))
        self._running[call.task_id] = task
        try:
            return await task
        except asyncio.CancelledError:
            if call.task_id not in self._terminated:
                # The flow run is cut short, and the task with it.
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                raise
            return await self._work.revoke_task(call, raw, terminated=True)
        finally:
            if self._running.get(call.task_id) is task:
                del self._running[call.task_id]

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """In a process: errbacks are the app's code."""
        # The body's ids are in it.
        entry = json.dumps(failure.to_json(), sort_keys=True)
        return await self._work.fail_chord(failure, self._raw(entry))

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """In a process, which has the result backend open."""
        await self._work.store_failures(task_ids, error, culprit)

    def _raw(self, entry: str) -> Mapping[str, Any]:
        return {
            "strict": self._job.strict,
            "again": self.again,
            # The name of a result, which any result backend takes.
            "entry": str(uuid.uuid5(self._flow_run_id, entry)),
        }

    # -- time

    async def sleep(self, seconds: float) -> None:
        """Wait, and leave the place in the window to another member meanwhile."""
        window = _window.get()
        if window is None:
            await asyncio.sleep(seconds)
        else:
            window.release()
            try:
                await asyncio.sleep(seconds)
            finally:
                await window.acquire()
        await self._refresh()

    def now(self) -> float:
        """The machine's clock."""
        return time.time()

    # -- branches

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """All of them, ``WINDOW`` at a time."""
        window = asyncio.Semaphore(WINDOW)
        ends: list[End | None] = [None] * len(branches)

        async def one(position: int) -> None:
            _window.set(window)
            try:
                ends[position] = await walk(branches[position])
            finally:
                window.release()

        async with asyncio.TaskGroup() as members:
            for position in range(len(branches)):
                await window.acquire()
                members.create_task(one(position))
        done = [end for end in ends if end is not None]
        self._join(done)
        return done

    def spawn(self, branch: Branch) -> None:
        """A tree of its own, which this flow run walks too."""
        generation = _generation.get() + 1
        if generation < GENERATIONS:
            tree = asyncio.create_task(self._grow(branch, generation))
        else:
            top = self._job.tree or str(self._flow_run_id)
            tree = asyncio.create_task(self._elsewhere(Job(branch, self._job.strict, top)))
        self._trees.add(tree)

    async def _grow(self, branch: Branch, generation: int) -> None:
        _generation.set(generation)
        _window.set(None)
        await Walker(self).walk(branch)

    async def _elsewhere(self, job: Job) -> None:
        await self._start(job)

    async def all_grown(self) -> None:
        """Wait until every tree that was spawned is at its end."""
        while self._trees:
            done, _ = await asyncio.wait(self._trees, return_when=asyncio.FIRST_COMPLETED)
            self._trees -= done
            for tree in done:
                tree.result()

    async def at_step(self, rest: Branch) -> None:
        """A chain of any length is walked here."""

    def close(self) -> None:
        """The flow run ends, whatever is still at work."""
        for task in (*self._trees, *self._running.values()):
            task.cancel()
        for record in self._records.values():
            record.close()

    # -- what comes after what

    def _before(self, call: TaskCall) -> list[UUID]:
        parent = call.parent_id
        if parent is None:
            return []
        names = self._joined.get(parent, [parent])[-EDGES:]
        return [self._task_runs[name] for name in names if name in self._task_runs]

    def _join(self, ends: Sequence[End]) -> None:
        """What follows the group follows all of its members, and says that it follows the last."""
        last = ends[-1].task_id if ends else None
        if last is None:
            return
        names: list[str] = []
        for end in ends[-EDGES:]:
            if end.task_id is not None:
                names += self._joined.get(end.task_id, [end.task_id])
        _remember(self._joined, last, names[-EDGES:])

    # -- revoke

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tasks with these ids must not run; running ones are ended if ``terminate``."""
        self.revoked.update(ids)
        for task_id in ids if terminate else ():
            self._terminate(task_id)

    def revoke_all(self) -> None:
        """No further task may run, and those that run are ended."""
        self._all_revoked = True
        for task_id in list(self._running):
            self._terminate(task_id)

    def _terminate(self, task_id: str) -> None:
        if task_id in self._running:
            self._terminated.add(task_id)
            self._running[task_id].cancel()


def _remember(things: OrderedDict[str, Any], name: str, thing: Any) -> None:
    things[name] = thing
    things.move_to_end(name)
    while len(things) > REMEMBERED:
        things.popitem(last=False)
