"""Canvas in its plainest form: in this process, one task at a time, without a server.

The oracle that other engines are compared with. To learn what a canvas means, read ``walker.py``
for the order of things and this file for the little an engine adds: fibers that take turns, a
clock that jumps to the next thing to wait for, and a result backend that is a dictionary.
"""

from __future__ import annotations

import heapq
import signal
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from time import time
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.exceptions import WorkerLostError

from offcanvas.canvas.calls import Branch, ChordFailure, End, ErrorWire, TaskCall, TaskOutcome
from offcanvas.canvas.nodes import Value
from offcanvas.canvas.stamps import names_of, only_stamped
from offcanvas.celery_app import task_runtime
from offcanvas.celery_app.freezing import Prepared
from offcanvas.celery_app.memory_backend import memory_backend
from offcanvas.celery_app.planning import Planned, Submission
from offcanvas.engines.base import Outcome
from offcanvas.engines.memory.support import SUPPORT
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prepare import sent_plan, vetted_plan, warn_of
from offcanvas.engines.processes.rates import Rates
from offcanvas.engines.walker import Walker

if TYPE_CHECKING:
    from celery import Celery

#: Results are all there when the walk has ended, so that one look is enough.
_ONE_LOOK = 0.001


class MemoryEngine:
    """Runs a canvas here and now; delays take no time."""

    name = "memory"
    support = SUPPORT

    def plan(self, submission: Submission) -> Planned:
        """See ``Engine.plan``."""
        return vetted_plan(self, submission)

    def run(self, planned: Planned) -> Outcome:
        """Run to the end; see ``Engine.run``. Nothing waits, so that no timeout is needed."""
        app = planned.submission.app
        warn_of(planned)
        _as_a_worker_process()
        with memory_backend(app):
            prepared = sent_plan(planned)
            self.walk(app, prepared, strict=planned.submission.strict)
            outcome = outcome_of(prepared.result, timeout=_ONE_LOOK, interval=_ONE_LOOK)
            return replace(outcome, plan=prepared.plan)

    @contextmanager
    def session(self, app: Celery) -> Iterator[Callable[[Planned], Outcome]]:
        """See ``Engine.session``: there is nothing to keep up."""
        del app
        yield self.run

    def walk(self, app: Celery, prepared: Prepared, *, strict: bool = False) -> None:
        """Walk a prepared plan, and everything it starts, to the end."""
        if prepared.plan is None:
            return
        loop = Loop()
        loop.start(Walker(self.driver(app, loop, strict=strict)).walk(Branch(prepared.plan)))
        loop.run()

    def driver(self, app: Celery, loop: Loop, *, strict: bool) -> MemoryDriver:
        """The hands for one walk."""
        return MemoryDriver(app, loop, strict=strict)


class MemoryDriver:
    """The walker's hands: tasks run when they are asked for, in this process."""

    def __init__(self, app: Celery, loop: Loop, *, strict: bool = False) -> None:
        self.app = app
        self.loop = loop
        self.strict = strict
        self._revoked: set[str] = set()
        self._rates = Rates(app, lambda: loop.clock)

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run the task now, unless it has been revoked, and let the others take their turn."""
        wait = self._rates.reserve(call)
        if wait:
            await Sleep(wait)
        if not self._revoked.isdisjoint(names_of(call)):
            stamped = only_stamped(call, self._revoked)
            return task_runtime.revoke(self.app, call, "revoked", stamped=stamped)
        try:
            with _interrupts() as interrupted:
                outcome = task_runtime.run_task(self.app, call, strict=self.strict)
        except (SystemExit, KeyboardInterrupt) as leaving:  # a process of a worker would end
            if interrupted:
                raise
            lost = WorkerLostError(_exited(leaving))
            outcome = task_runtime.fail_task(self.app, call, lost, strict=self.strict)
        for one in outcome.revoked:
            self._revoked.update(one["ids"])
        await Sleep(0)
        return outcome

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """Fail the body now."""
        return task_runtime.fail_chord(self.app, failure, strict=self.strict)

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """Store now."""
        task_runtime.store_failures(self.app, task_ids, error, culprit)

    async def carry(self, values: list[Value]) -> Value:
        """They themselves: nothing here limits their size."""
        return values

    async def sleep(self, seconds: float) -> None:
        """Step aside until the clock has come to that time."""
        await Sleep(seconds)

    def now(self) -> float:
        """The clock of this run: the real one, and what has been slept."""
        return self.loop.clock

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """Walk all branches by turns."""
        fibers = [self.loop.start(_coroutine(walk(branch))) for branch in branches]
        return [await fiber for fiber in fibers]

    def spawn(self, branch: Branch) -> None:
        """Start a tree of its own."""
        self.loop.start(Walker(self).walk(branch))

    async def at_step(self, rest: Branch) -> None:
        """A chain of any length fits into memory."""


def _exited(leaving: BaseException) -> str:
    if not isinstance(leaving, SystemExit):
        return task_runtime.interrupted(leaving)
    # As the interpreter has it: text is printed, and the code is 1.
    code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return task_runtime.exited(code)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """The Ctrl-C that came meanwhile: a KeyboardInterrupt without one is a task's own."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield came
        return

    def note(number: int, frame: Any) -> None:
        came.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


@cache
def _as_a_worker_process() -> None:
    """Tasks count on what handlers set up in every process of a worker; once is enough."""
    signals.worker_process_init.send(sender=None)


async def _coroutine(awaitable: Awaitable[End]) -> End:
    return await awaitable


@dataclass(frozen=True, slots=True)
class Sleep:
    """Awaited in a fiber: take the turn again after ``seconds``."""

    seconds: float

    def __await__(self) -> Generator[Sleep]:
        yield self


@dataclass(slots=True)
class Fiber:
    """A coroutine that takes turns with others; awaiting it gives what it returns."""

    coroutine: Coroutine[Any, Any, End | None]
    result: Any = None
    done: bool = False
    waiting: list[Fiber] = field(default_factory=list)

    def __await__(self) -> Generator[Fiber, None, End]:
        if not self.done:
            yield self
        result: End = self.result
        return result


class Loop:
    """Runs fibers until none is left. When all of them sleep, the clock jumps ahead."""

    def __init__(self) -> None:
        self.clock = time()
        self._ready: deque[Fiber] = deque()
        self._sleeping: list[tuple[float, int, Fiber]] = []
        self._order = count()

    def start(self, coroutine: Coroutine[Any, Any, End | None]) -> Fiber:
        """Take a coroutine in; it gets its first turn after those already waiting."""
        fiber = Fiber(coroutine)
        self._ready.append(fiber)
        return fiber

    def run(self) -> None:
        """Give turns until all fibers have ended; an error in one ends the run."""
        while self._ready or self._sleeping:
            if not self._ready:
                wake, _, fiber = heapq.heappop(self._sleeping)
                self.clock = max(self.clock, wake)
                self._ready.append(fiber)
            self._turn(self._ready.popleft())

    def _turn(self, fiber: Fiber) -> None:
        try:
            awaited = fiber.coroutine.send(None)
        except StopIteration as end:
            fiber.result, fiber.done = end.value, True
            self._ready.extend(fiber.waiting)
            return
        if isinstance(awaited, Fiber):
            awaited.waiting.append(fiber)
        elif awaited.seconds > 0:
            until = self.clock + awaited.seconds
            heapq.heappush(self._sleeping, (until, next(self._order), fiber))
        else:
            self._ready.append(fiber)
