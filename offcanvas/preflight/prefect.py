"""A canvas rehearsed on Prefect: flow runs, task runs, events and requests.

One flow run walks a canvas. A task run is told in events and takes no request; its worker asks once
a second, for all flow runs in hand, whether something was revoked and whether they are still its.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offcanvas.canvas.calls import Branch, End, TaskCall, TaskOutcome
from offcanvas.canvas.nodes import Node, Value
from offcanvas.engines.walker import Walker
from offcanvas.preflight.clock import rehearsed
from offcanvas.preflight.driver import Counting, ResultSize

if TYPE_CHECKING:
    from celery import Celery

#: Members of one group that are walked at a time (`engines.prefect.driver.WINDOW`).
_WINDOW = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace that is reckoned with: seconds of a task run that does nothing, and how many run
    at a time. Measured by `python -m benchmarks.preflight`."""

    slots: int = 2
    task_run: float = 0.03


#: States, and two of the worker for each flow run: it was submitted and has ended. The kit's task
#: runs have no Pending of their own.
_EVENTS = {"task run": 2, "flow run": 6}
_HEARTBEAT = 180  # seconds between the heartbeats of a flow run, each an event
_REQUESTS = {"flow run": 10, "second": 1}


@dataclass(slots=True)
class Rehearsal:
    """What a canvas comes to. plan: characters of the text that the flow run is given."""

    tasks: int = 0
    flow_runs: int = 1
    seconds: float = 0.0
    plan: int = 0

    @property
    def events(self) -> int:
        """Events of task runs, of flow runs, and their heartbeats."""
        heartbeats = 1 + int(self.seconds // _HEARTBEAT)
        each = _EVENTS["flow run"] + heartbeats
        return _EVENTS["task run"] * self.tasks + each * self.flow_runs

    @property
    def requests(self) -> int:
        """Requests of caller and worker, without those of a worker that looks for work."""
        asked = round(self.seconds * _REQUESTS["second"])
        return _REQUESTS["flow run"] * self.flow_runs + asked


class _Driver(Counting):
    """See `walker.Driver`: counts, and runs nothing."""

    def __init__(self, app: Celery, size: ResultSize, pace: Pace) -> None:
        super().__init__(app, size)
        self.pace = pace
        self.found = Rehearsal()
        self.slots = asyncio.Semaphore(pace.slots)
        self.trees: list[asyncio.Task[End]] = []
        self._loop = asyncio.get_running_loop()

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """A task run."""
        async with self.slots:
            await asyncio.sleep(self.pace.task_run)
        self.found.tasks += 1
        return self.outcome(call)

    async def carry(self, values: list[Value]) -> Value:
        """They themselves."""
        return values

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def now(self) -> float:
        """A moment; only differences count."""
        return self._loop.time()

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """All of them, a window at a time."""
        window = asyncio.Semaphore(_WINDOW)

        async def one(branch: Branch) -> End:
            async with window:
                return await walk(branch)

        return list(await asyncio.gather(*(one(branch) for branch in branches)))

    def spawn(self, branch: Branch) -> None:
        """A tree that the same flow run walks."""
        self.trees.append(asyncio.create_task(Walker(self).walk(branch)))

    async def at_step(self, rest: Branch) -> None:
        """A chain of any length is walked here."""


def rehearse(app: Celery, plan: Node, size: ResultSize, pace: Pace | None = None) -> Rehearsal:
    """Walk a frozen plan on Prefect without running anything."""
    from offcanvas.engines.prefect.job import Job

    async def all_of_it() -> Rehearsal:
        driver = _Driver(app, size, pace or Pace())
        await Walker(driver).walk(Branch(plan))
        while driver.trees:
            trees, driver.trees = driver.trees, []
            await asyncio.gather(*trees)
        return driver.found

    found, seconds = rehearsed(all_of_it())
    found.seconds = seconds
    found.plan = Job(Branch(plan)).size
    return found
