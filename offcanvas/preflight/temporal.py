"""A canvas rehearsed on Temporal: events, bytes and workflow tasks of every workflow that walks it.

The walker is the kit's own, and payloads are packed as they will be. What it cannot know is when
activities end: some that end together wake their workflow once. `Worker` is the pace by which it is
reckoned; measured by `python -m benchmarks.preflight`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from offcanvas.canvas.calls import STORED_TEXT, Branch, End, TaskCall, TaskOutcome
from offcanvas.canvas.nodes import Node, Value
from offcanvas.engines.slices import sliced
from offcanvas.engines.temporal.client import settings_of
from offcanvas.engines.temporal.driver import (
    CARRIED,
    EVENTS,
    IN_FLIGHT,
    PIECE,
    ROOM,
    SLICES_IN_FLIGHT,
    ContinueWith,
)
from offcanvas.engines.temporal.job import Job, Report, Settings
from offcanvas.engines.temporal.payload import pack
from offcanvas.engines.temporal.shown import call_summary, shown
from offcanvas.engines.walker import Walker
from offcanvas.preflight.clock import rehearsed
from offcanvas.preflight.driver import Counting, ResultSize

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True, slots=True)
class Worker:
    """The pace that is reckoned with, in seconds.

    Attributes:
        slots: activities that run at a time.
        activity: an activity that does nothing, on its way there and back included; spread: the
            share of it by which one differs from another.
        wake: from an end that the server hears of to the workflow task that takes it in.
        think: a workflow task. schedule: what each activity that it schedules adds to it.
    """

    slots: int = 2
    activity: float = 0.02
    spread: float = 0.5
    wake: float = 0.006
    think: float = 0.004
    schedule: float = 0.0005


#: Bytes beside payloads: of the events of a workflow's begin and end, of a workflow task, ...
_BYTES = {"workflow": 440, "woken": 326, "activity": 390, "timer": 120, "child": 810}
#: Bytes that the outcome of an activity may have beside its value, in what cannot be exceeded.
_MORE = 200


@dataclass(slots=True)
class History:
    """What one run of a workflow comes to.

    Attributes:
        what: "canvas", "slice" or "started by a task".
        woken: workflow tasks, as reckoned; at_most: if nothing ends together.
        payload: bytes of all payloads in the history, and texts beside them.
        largest: the largest payload. answer: the most that one workflow task schedules, in bytes.
        pending: activities that are scheduled and have not ended, at the most.
        started: bytes of the payload that starts it. ended: of the one that ends it.
    """

    what: str
    started: int = 0
    ended: int = 0
    activities: int = 0
    timers: int = 0
    children: int = 0
    trees: int = 0
    heard: int = 0
    woken: int = 1
    at_most: int = 1
    payload: int = 0
    largest: int = 0
    answer: int = 0
    pending: int = 0
    _pending: int = field(default=0, repr=False)
    _scheduled: int = field(default=0, repr=False)

    @property
    def events(self) -> int:
        """Events, as reckoned."""
        return self._events(self.woken)

    @property
    def bytes(self) -> int:
        """Bytes of the history, as reckoned."""
        return self._bytes(self.woken)

    @property
    def most_bytes(self) -> int:
        """Bytes that it cannot exceed without retries."""
        return self._bytes(self._most_woken) + _MORE * (self.activities + self.trees + 1)

    def _bytes(self, woken: int) -> int:
        return (
            _BYTES["workflow"]
            + self.payload
            + _BYTES["woken"] * woken
            + _BYTES["activity"] * self.activities
            + _BYTES["timer"] * self.timers
            + _BYTES["child"] * (self.children + self.trees)
        )

    @property
    def bound(self) -> int:
        """Events that it cannot exceed without retries."""
        return self._events(self._most_woken) - self.heard + max(self.heard, self.trees)

    @property
    def _most_woken(self) -> int:
        """Workflow tasks if nothing ends together, and each tree while this one is still there."""
        return max(self.at_most, self.woken) + self.trees

    def _events(self, woken: int) -> int:
        others = 3 * self.activities + 2 * self.timers + 3 * self.children
        return 2 + 3 * woken + others + 2 * self.trees + self.heard

    def schedules(self, size: int) -> None:
        """A payload goes out with the present workflow task."""
        self.payload += size
        self.largest = max(self.largest, size)
        self._scheduled += size
        self.answer = max(self.answer, self._scheduled)

    def hears(self, size: int) -> None:
        """A payload comes in."""
        self.payload += size
        self.largest = max(self.largest, size)

    def begins(self) -> None:
        """An activity is scheduled."""
        self.activities += 1
        self._pending += 1
        self.pending = max(self.pending, self._pending)

    def ends(self) -> None:
        """An activity has ended."""
        self._pending -= 1

    def wakes(self) -> None:
        """A workflow task begins."""
        self._scheduled = 0


@dataclass(slots=True)
class Rehearsal:
    """What a canvas comes to, all its workflows together."""

    histories: list[History] = field(default_factory=list)
    tasks: int = 0
    seconds: float = 0.0
    attempts: int = 0
    kept: int = 0
    """Pieces of long lists that activities put into the result backend."""

    @property
    def actions(self) -> int:
        """What Temporal Cloud bills: a start 1, a child 2, an activity 1, a timer 1."""
        first = 1
        return first + sum(
            h.activities + h.timers + 2 * (h.children + h.trees) for h in self.histories
        )


class _World:
    """What all workflows of a rehearsal share: the worker's slots, and the counting."""

    def __init__(self, app: Celery, worker: Worker, size: ResultSize) -> None:
        self.app = app
        self.worker = worker
        self.size = size
        self.slots = asyncio.Semaphore(worker.slots)
        self.found = Rehearsal()
        self.settings: Settings = settings_of(app)
        self.trees: list[asyncio.Task[None]] = []
        #: When the worker has thought about the workflow tasks that it has.
        self.free = 0.0
        self._beats = itertools.count()

    def pause(self) -> float:
        """Seconds of the next activity: about the same each time, and never quite."""
        turn = (next(self._beats) * 0.618_034) % 1.0
        return self.worker.activity * (1 + self.worker.spread * (2 * turn - 1))

    async def run(self, branches: Sequence[Branch], what: str, part: bool) -> tuple[Report, int]:
        """Walk branches in workflows of their own; returns the report and its bytes."""
        job = Job(tuple(branches), self.settings, part=part)
        while True:
            packed = pack(job.to_json()).payload.ByteSize()
            history = History(what, started=packed)
            self.found.histories.append(history)
            history.hears(packed)
            if not part:
                history.payload += _texts(job.branches[0])
            driver = _Driver(self, history, alone=len(job.branches) == 1)
            await asyncio.sleep(self.worker.wake + self.worker.think)
            try:
                if len(job.branches) == 1:
                    ends = [await Walker(driver).walk(job.branches[0])]
                else:
                    ends = await driver.side_by_side(job.branches)
            except ContinueWith as rest:
                job = Job((rest.branch,), self.settings, part=part)
                history.ended = pack(job.to_json()).payload.ByteSize()
                history.schedules(history.ended)
                continue
            report = Report(tuple(ends), tuple(driver.spawned))
            history.ended = pack(report.to_json()).payload.ByteSize()
            history.schedules(history.ended)
            return report, history.ended


class _Driver(Counting):
    """See `walker.Driver`: counts, and runs nothing."""

    def __init__(self, world: _World, history: History, *, alone: bool) -> None:
        super().__init__(world.app, world.size)
        self.world = world
        self.history = history
        self.spawned: list[str] = []
        self._alone = alone
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._slices = asyncio.Semaphore(SLICES_IN_FLIGHT)
        self._waking: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    async def _woken(self) -> None:
        """Wait for the workflow task that takes something in; what ends meanwhile joins it."""
        self.history.at_most += 1
        if self._waking is None:
            self._waking = self._loop.create_future()
            begins = max(self._loop.time() + self.world.worker.wake, self.world.free)
            self.world.free = begins + self.world.worker.think
            self._loop.call_at(begins, self._wake, self._waking)
        await self._waking

    def _wake(self, waking: asyncio.Future[None]) -> None:
        self._waking = None
        self.history.woken += 1
        self.history.wakes()
        waking.set_result(None)

    async def _activity(self, given: int, answer: int) -> None:
        history, worker = self.history, self.world.worker
        history.begins()
        history.schedules(given)
        self.world.free = max(self.world.free, self._loop.time()) + worker.schedule
        await asyncio.sleep(worker.think)
        async with self.world.slots:
            await asyncio.sleep(self.world.pause())
        history.ends()
        history.hears(answer)
        await self._woken()

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """An activity whose value is as large as it is said to be."""
        async with self._slots:
            given = {
                "call": call.to_json(),
                "strict": False,
                "entry": _ID,
                "since": 1_000_000_000.123456,
                "most": ROOM,
                "fail": True,
            }
            outcome = self.outcome(call)
            said = len(call_summary(call).encode()) + 2
            self.world.found.tasks += 1
            await self._activity(
                pack(given).payload.ByteSize() + said,
                pack(outcome.to_json()).payload.ByteSize(),
            )
        return outcome

    async def carry(self, values: list[Value]) -> Value:
        """As `TemporalDriver.carry`."""
        text = json.dumps(values, separators=(",", ":"))
        if len(text) <= CARRIED:
            return values
        places = []
        for start in range(0, len(text), PIECE):
            places.append(str(uuid.uuid4()))
            piece = {"text": text[start : start + PIECE], "place": places[-1]}
            self.world.found.kept += 1
            await self._activity(
                pack(piece).payload.ByteSize(),
                pack(None).payload.ByteSize(),
            )
        return {STORED_TEXT: places}

    async def sleep(self, seconds: float) -> None:
        """A timer."""
        self.history.timers += 1
        await asyncio.sleep(seconds)
        await self._woken()

    def now(self) -> float:
        """A moment; only differences count."""
        return self._loop.time()

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """As `TemporalDriver.gather`."""
        slices = list(sliced(branches, self.world.settings.slice))
        if len(slices) <= 1 and not self._is_long():
            return list(await asyncio.gather(*(walk(branch) for branch in branches)))
        ends = await asyncio.gather(*(self._slice(branches, part) for part in slices))
        return [end for part in ends for end in part]

    async def side_by_side(self, branches: Sequence[Branch]) -> list[End]:
        """As `TemporalDriver.side_by_side`."""
        walker = Walker(self)
        return list(await asyncio.gather(*(walker.walk(branch) for branch in branches)))

    async def _slice(self, branches: Sequence[Branch], part: slice) -> list[End]:
        async with self._slices:
            history = self.history
            history.children += 1
            given = Job(tuple(branches[part]), self.world.settings, part=True)
            history.schedules(pack(given.to_json()).payload.ByteSize())
            started = asyncio.create_task(self._begun())
            report, size = await self.world.run(branches[part], "slice", part=True)
            await started
            history.hears(size)
            await self._woken()
        self.spawned += report.spawned
        return list(report.ends)

    async def _begun(self) -> None:
        await asyncio.sleep(self.world.worker.wake)
        await self._woken()

    def spawn(self, branch: Branch) -> None:
        """A workflow that outlives this one."""
        self.history.trees += 1
        self.spawned.append(f"canvas-{_ID}")
        job = Job((branch,), self.world.settings)
        self.history.schedules(pack(job.to_json()).payload.ByteSize() + _texts(branch))
        self.world.trees.append(asyncio.create_task(self._grow(branch)))

    async def _grow(self, branch: Branch) -> None:
        begun = asyncio.create_task(self._begun())
        await self.world.run([branch], "started by a task", part=False)
        await begun

    async def at_step(self, rest: Branch) -> None:
        """As `TemporalDriver.at_step`."""
        if self._alone and self._is_long():
            raise ContinueWith(rest)

    def _is_long(self) -> bool:
        return self.history.events > EVENTS


def _texts(branch: Branch) -> int:
    """Bytes of what people are shown of a workflow."""
    texts = shown(branch.node, _ID)
    parts = (texts.id, texts.summary, texts.details, *texts.memo.values())
    return sum(len(part.encode()) for part in parts)


_ID = str(uuid.UUID(int=0))


def rehearse(app: Celery, plan: Node, size: ResultSize, worker: Worker | None = None) -> Rehearsal:
    """Walk a frozen plan on Temporal without running anything."""

    async def all_of_it() -> Rehearsal:
        world = _World(app, worker or Worker(), size)
        await world.run([Branch(plan)], "canvas", part=False)
        while world.trees:
            trees, world.trees = world.trees, []
            await asyncio.gather(*trees)
        return world.found

    found, seconds = rehearsed(all_of_it())
    found.seconds = seconds
    return found
