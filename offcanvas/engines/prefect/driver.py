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
from dataclasses import replace
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State

from offcanvas.canvas.calls import (
    LEFT,
    REPLACED,
    RETRY,
    SUCCESS,
    Branch,
    ChordFailure,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
)
from offcanvas.canvas.nodes import Value
from offcanvas.canvas.stamps import names_of, only_stamped
from offcanvas.engines.batches import TARGET, Batches, Ran, has_siblings, with_siblings
from offcanvas.engines.prefect.job import Job
from offcanvas.engines.prefect.process import OutOfDateError
from offcanvas.engines.prefect.record import Record, events_sent, state_of_batch
from offcanvas.engines.prefect.slices import Slices
from offcanvas.engines.prefect.work import Work
from offcanvas.engines.processes.batch import BatchRun
from offcanvas.engines.slices import sliced
from offcanvas.engines.walker import Walker

#: Members of one group that are walked at a time.
WINDOW = 100
#: The same with batches, each of which has several of them.
BATCHED_WINDOW = 2_000
#: Seconds between two moments at which a batch is given leave to go on.
CONFIRMED = 0.5
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
        confirmed: the moment until when a task may begin (``fence.Fence``).
        slices: walks slices of wide groups elsewhere.

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
        confirmed: Callable[[], Awaitable[float]],
        slices: Slices,
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
        self._confirmed = confirmed
        self._slices = slices
        self._slots = asyncio.Semaphore(work.slots)
        self._trees: set[asyncio.Task[Any]] = set()
        #: Task runs that wait for another attempt, by the id of the task, which may run twice at a
        #: time: ``self.retry(throw=False)`` leaves an attempt behind.
        self._records: dict[str, list[Record]] = {}
        #: What is at work, and the names by which it is revoked.
        self._running: dict[asyncio.Task[TaskOutcome], frozenset[str]] = {}
        self._terminated: set[asyncio.Task[TaskOutcome]] = set()
        self._replaced: Counter[str] = Counter()
        self._task_runs: OrderedDict[str, UUID] = OrderedDict()
        self._joined: OrderedDict[str, list[str]] = OrderedDict()
        self._together: dict[Record, BatchRun | None] = {}
        self._window = WINDOW if job.batch is None else BATCHED_WINDOW
        self._batches: Batches | None = None
        if job.batch is not None:
            self._batches = Batches(
                job.batch,
                run=self._run_batch,
                alone=self._run_alone,
                in_flight=work.slots,
                sleep=asyncio.sleep,
            )

    # -- tasks

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """An attempt of a task run of the task's name, or of one with others."""
        wait = self._work.rates.reserve(call)
        if wait:
            await self.sleep(wait)
        if self._batches is not None and has_siblings():
            outcome = await self._batches.run_task(call)
        else:
            outcome = await self._run_alone(call)
        for one in outcome.revoked:
            await self._tell(one)
        if outcome.state == REPLACED:
            self._replaced[call.task_id] += 1
        return outcome

    async def _run_alone(self, call: TaskCall, _told: bool = False) -> TaskOutcome:
        async with self._slots:
            await events_sent()
            record = self._record(call)
            outcome = await record.attempt(lambda: self._attempt(call))
        if outcome.state == RETRY:
            self._records.setdefault(call.task_id, []).append(record)
        if record.task_run_id is not None:
            _remember(self._task_runs, call.task_id, record.task_run_id)
        return outcome

    def _record(self, call: TaskCall) -> Record:
        """The task run that goes on with this attempt, or a new one."""
        waiting = self._records.get(call.task_id, [])
        if not waiting or not (call.retries or call.deliveries):
            return Record(call, self._before(call))
        record = waiting.pop(0)
        if not waiting:
            del self._records[call.task_id]
        return record

    def _entry(self, call: TaskCall) -> Mapping[str, Any]:
        entry = f"{call.task_id}/{call.retries}/{self._replaced[call.task_id]}"
        if call.deliveries:
            entry += f"/{call.deliveries}"
        return self._raw(entry)

    def _is_revoked(self, call: TaskCall) -> bool:
        return self._all_revoked or not self.revoked.isdisjoint(names_of(call))

    async def _attempt(self, call: TaskCall) -> TaskOutcome:
        raw = self._entry(call)
        if self._is_revoked(call):
            stamped = not self._all_revoked and only_stamped(call, self.revoked)
            return await self._work.revoke_task(call, {**raw, "stamped": stamped})
        task = asyncio.create_task(self._run(call, raw))
        self._running[task] = frozenset(names_of(call))
        try:
            return await task
        except asyncio.CancelledError:
            if task not in self._terminated:
                # The flow run is cut short, and the task with it.
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                raise
            return await self._work.revoke_task(call, {**raw, "terminated": True})
        finally:
            del self._running[task]
            self._terminated.discard(task)

    async def _run(self, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome:
        while True:
            until = await self._confirmed()
            with suppress(OutOfDateError):
                return await self._work.run_task(call, {**raw, "until": until})

    # -- several in one task run

    async def _run_batch(self, calls: Sequence[TaskCall]) -> Ran:
        limit = self._work.limit
        most = limit if isinstance(limit, int) else len(calls)
        outcomes = [TaskOutcome(LEFT)] * len(calls)
        begin: list[int] = []
        for place, call in enumerate(calls[:most]):
            if self._is_revoked(call):
                outcomes[place] = await self._run_alone(call)
            else:
                begin.append(place)
        if not begin:
            return Ran(outcomes)
        ran = await self._recorded([calls[place] for place in begin])
        for place, outcome in zip(begin, ran.outcomes, strict=True):
            outcomes[place] = outcome
        return Ran(outcomes, ran.seconds, ran.ran)

    async def _recorded(self, calls: Sequence[TaskCall]) -> Ran:
        """A batch as one task run of the task's name."""
        await events_sent()
        found: list[Ran] = []

        def shown(_outcome: TaskOutcome) -> State[Any]:
            return state_of_batch(calls, found[0].outcomes)

        async def work() -> TaskOutcome:
            found.append(await self._at_work(record, calls))
            return TaskOutcome(SUCCESS)

        label = f"{calls[0].name} x {len(calls)}"
        record = Record(calls[0], self._before(calls[0]), label, shown)
        self._together[record] = None
        try:
            await record.attempt(work)
        finally:
            del self._together[record]
        if record.task_run_id is not None:
            for call in calls:
                _remember(self._task_runs, call.task_id, record.task_run_id)
        return found[0]

    async def _at_work(self, record: Record, calls: Sequence[TaskCall]) -> Ran:
        in_time = "auto" in (self._job.batch, self._work.limit)
        run = self._work.batch(
            calls,
            [self._entry(call) for call in calls],
            target=TARGET if in_time else None,
            until=await self._confirmed(),
        )
        self._together[record] = run
        confirming = asyncio.create_task(self._keep_confirmed(run))
        try:
            outcomes = [TaskOutcome.from_json(outcome) for outcome in await run.run()]
        finally:
            confirming.cancel()
        return Ran(outcomes, run.seconds, run.ran)

    async def _keep_confirmed(self, run: BatchRun) -> None:
        while True:
            await asyncio.sleep(CONFIRMED)
            run.extend(await self._confirmed())

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """In a process: errbacks are the app's code."""
        await self._confirmed()
        # The body's ids are in it.
        entry = json.dumps(failure.to_json(), sort_keys=True)
        return await self._work.fail_chord(failure, self._raw(entry))

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """In a process, which has the result backend open."""
        await self._confirmed()
        await self._work.store_failures(task_ids, error, culprit)

    def _raw(self, entry: str) -> Mapping[str, Any]:
        return {
            "strict": self._job.strict,
            "again": self.again,
            # The name of a result, which any result backend takes.
            "entry": str(uuid.uuid5(self._flow_run_id, entry)),
        }

    async def carry(self, values: list[Value]) -> Value:
        """They themselves: nothing here limits their size."""
        return values

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
        """All of them here, ``WINDOW`` at a time, or slices of them elsewhere."""
        width = self._job.spread
        parts = [] if width is None else [branches[part] for part in sliced(branches, width)]
        if len(parts) > 1:
            ends = await self._slices.walk(parts, self._part, lambda part: self._here(part, walk))
            self._join(ends)
            return ends
        return await self._here(branches, walk, alone=len(branches) < 2)

    def _part(self, branches: Sequence[Branch]) -> Job:
        """The job of a slice."""
        first, *more = branches
        top = self._job.tree or str(self._flow_run_id)
        return replace(self._job, branch=first, more=tuple(more), tree=top, part=True)

    async def _here(
        self,
        branches: Sequence[Branch],
        walk: Callable[[Branch], Awaitable[End]],
        *,
        alone: bool = False,
    ) -> list[End]:
        window = asyncio.Semaphore(self._window)
        ends: list[End | None] = [None] * len(branches)

        async def one(position: int) -> None:
            _window.set(window)
            if not alone:
                with_siblings()
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

    async def side_by_side(self, branches: Sequence[Branch]) -> list[End]:
        """Walk all branches here: they were sent together, or are a slice."""
        return await self._here(branches, Walker(self).walk)

    def spawn(self, branch: Branch) -> None:
        """A tree of its own, which this flow run walks too."""
        generation = _generation.get() + 1
        if generation < GENERATIONS:
            tree = asyncio.create_task(self._grow(branch, generation))
        else:
            top = self._job.tree or str(self._flow_run_id)
            job = replace(self._job, branch=branch, more=(), tree=top, part=False)
            tree = asyncio.create_task(self._elsewhere(job))
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
        for task in (*self._trees, *self._running):
            task.cancel()
        if self._batches is not None:
            self._batches.close()
        waiting = [record for records in self._records.values() for record in records]
        for record in (*waiting, *self._together):
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
        for task, names in list(self._running.items()) if terminate else ():
            if not names.isdisjoint(ids):
                self._terminate(task)
        for run in self._together.values():
            if run is not None and run.has(ids):
                # What has not begun is given back, and is revoked or begun anew.
                run.stop()
                if terminate:
                    run.terminate(ids)

    def revoke_all(self) -> None:
        """No further task may run, and those that run are ended."""
        self._all_revoked = True
        for task in list(self._running):
            self._terminate(task)
        for run in self._together.values():
            if run is not None:
                run.stop()
                run.terminate(None)

    def _terminate(self, task: asyncio.Task[TaskOutcome]) -> None:
        self._terminated.add(task)
        task.cancel()


def _remember(things: OrderedDict[str, Any], name: str, thing: Any) -> None:
    things[name] = thing
    things.move_to_end(name)
    while len(things) > REMEMBERED:
        things.popitem(last=False)
