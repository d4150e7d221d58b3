"""The walker's hands on Temporal: tasks are activities, delays timers, wide groups children.

Limits, and what they are far below: a history ends at 51,200 events, the server takes 2,000
pending activities or children for each workflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, CancelledError
from temporalio.workflow import ActivityConfig, ParentClosePolicy

from offcanvas.canvas.nodes import Leaf, Node, children
from offcanvas.engines.temporal.job import (
    FAIL_CHORD,
    LOSE_TASK,
    REVOKE_TASK,
    STORE_FAILURES,
    WORKFLOW,
    Job,
    Report,
)
from offcanvas.engines.temporal.payload import pack, unpack
from offcanvas.engines.walker import (
    Branch,
    ChordFailure,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
    Walker,
)

#: Activities of one workflow at a time.
IN_FLIGHT = 100
#: Tasks that one workflow runs side by side; what is wider is cut into children. A task takes three
#: events, and up to three more for the workflow task that its end wakes.
SLICE = 1_000
#: The same, of canvases that were started before it was in their settings.
SLICE_ONCE = 500
#: Children that walk slices at a time.
SLICES_IN_FLIGHT = 4
#: Events after which a chain goes on in a new run, and groups in children. The server warns at
#: 10,240.
EVENTS = 8_000

#: A worker that has not been heard of for so long is lost.
HEARTBEAT = timedelta(seconds=20)
#: How often a task at work says so; the answer tells it that it is to be terminated.
BEAT = timedelta(seconds=2)
#: Seconds above a task's time limit: the worker's pool ends the task, the server only a worker
#: that hangs.
GRACE = 30.0
#: Temporal wants a limit; Celery has none unless one is set.
NO_LIMIT = timedelta(days=3650)

#: Storing also calls errbacks of the new style, which are user code and may take their time.
_STORING = ActivityConfig(start_to_close_timeout=NO_LIMIT, heartbeat_timeout=HEARTBEAT)
#: Activities that fail so fail again: the worker does not know the task, or an argument of it was
#: left in the result backend and is no longer there.
_HOPELESS = ("NotFoundError", "LookupError")


class ContinueWith(BaseException):
    """Ends this run of the workflow; the next one walks ``branch``.

    Not an Exception, as it passes through code that handles errors of tasks.
    """

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.branch = branch


@dataclass(slots=True)
class _Run:
    """An activity at work."""

    handle: workflow.ActivityHandle[Any]
    revoked: bool = False


class TemporalDriver:
    """See ``walker.Driver``."""

    def __init__(self, job: Job) -> None:
        self.settings = job.settings
        self.spawned = list(job.spawned)
        self.revoked = dict.fromkeys(job.revoked)
        self._children = job.children
        self._alone = len(job.branches) == 1
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._slices = asyncio.Semaphore(SLICES_IN_FLIGHT)
        self._width = job.settings.slice or SLICE_ONCE
        self._starting: list[asyncio.Task[Any]] = []
        self._running: dict[str, _Run] = {}
        self._late = frozenset(job.settings.late)
        self._queues = dict(job.settings.queues)

    def job(self, *branches: Branch) -> Job:
        """What another run of this workflow would need to go on with ``branches``."""
        return Job(
            branches, self.settings, self._children, tuple(self.spawned), tuple(self.revoked)
        )

    # -- tasks

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run an activity of the task's name."""
        async with self._slots:
            if call.task_id in self.revoked:
                return await self._outcome(REVOKE_TASK, self._input(call), **_STORING)
            return await self._run(call)

    async def _run(self, call: TaskCall) -> TaskOutcome:
        handle = workflow.start_activity(
            call.name, pack(self._input(call)), result_type=RawValue, **self._config(call)
        )
        run = self._running[call.task_id] = _Run(handle)
        try:
            return TaskOutcome.from_json(unpack(await handle))
        except ActivityError as error:
            if run.revoked:
                terminated = {**self._input(call), "terminated": True}
                return await self._outcome(REVOKE_TASK, terminated, **_STORING)
            if isinstance(error.cause, CancelledError):
                raise
            # The worker is gone, and the task may have run: Celery would not run it again.
            # Or no worker knows the task, and the activity says so as a Celery worker does.
            lost = {**self._input(call), "why": str(error.cause or error)}
            return await self._outcome(LOSE_TASK, lost, **_STORING)
        finally:
            if self._running.get(call.task_id) is run:
                del self._running[call.task_id]

    def _input(self, call: TaskCall) -> dict[str, Any]:
        return {"call": call.to_json(), "strict": self.settings.strict}

    def _config(self, call: TaskCall) -> ActivityConfig:
        options = call.signature["options"]
        limit = options.get("time_limit") or self.settings.time_limit
        config = ActivityConfig(
            start_to_close_timeout=timedelta(seconds=limit + GRACE) if limit else NO_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(
                maximum_attempts=0 if call.name in self._late else 1,
                maximum_interval=timedelta(seconds=30),
                non_retryable_error_types=_HOPELESS,
            ),
        )
        queue = self._queues.get(options.get("queue"))
        if queue is not None:
            config["task_queue"] = queue
        return config

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """An activity in the name of the chord."""
        raw = {"failure": failure.to_json(), "strict": self.settings.strict}
        return await self._outcome(FAIL_CHORD, raw, **_STORING)

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """An activity for all of them."""
        raw = {"task_ids": list(task_ids), "error": error, "culprit": culprit}
        await workflow.execute_activity(STORE_FAILURES, pack(raw), result_type=RawValue, **_STORING)

    async def _outcome(self, name: str, raw: Any, **config: Any) -> TaskOutcome:
        packed = await workflow.execute_activity(name, pack(raw), result_type=RawValue, **config)
        return TaskOutcome.from_json(unpack(packed))

    # -- time

    async def sleep(self, seconds: float) -> None:
        """A durable timer."""
        await workflow.sleep(seconds)

    def now(self) -> float:
        """The time of the workflow task, which replays."""
        return workflow.time()

    # -- branches

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """Walk narrow groups here, and slices of wide ones in children.

        In a history that has become long no group is walked. Of a chain that is a member of a
        group, or the body of a chord, the rest cannot go on in a new run.
        """
        slices = list(_sliced(branches, self._width))
        if len(slices) <= 1 and not (self.settings.slice and _history_is_long()):
            return list(await asyncio.gather(*(walk(branch) for branch in branches)))
        ends = await asyncio.gather(*(self._slice(branches, part) for part in slices))
        return [end for part in ends for end in part]

    async def side_by_side(self, branches: Sequence[Branch]) -> list[End]:
        """Walk all branches here: this workflow is the slice."""
        walker = Walker(self)
        return list(await asyncio.gather(*(walker.walk(branch) for branch in branches)))

    async def _slice(self, branches: Sequence[Branch], part: slice) -> list[End]:
        async with self._slices:
            self._children += 1
            job = Job(tuple(branches[part]), self.settings, revoked=tuple(self.revoked))
            packed = await workflow.execute_child_workflow(
                WORKFLOW,
                pack(job.to_json()),
                id=f"{workflow.info().workflow_id}/{self._children}",
                result_type=RawValue,
            )
        report = Report.from_json(unpack(packed))
        self.spawned += report.spawned
        return list(report.ends)

    def spawn(self, branch: Branch) -> None:
        """A workflow that outlives this one."""
        # Not named after this workflow: a task that starts itself again and again would make the
        # name longer each time.
        child = f"canvas-{workflow.uuid4()}"
        self.spawned.append(child)
        job = Job((branch,), self.settings, revoked=tuple(self.revoked))
        self._starting.append(
            asyncio.create_task(
                workflow.start_child_workflow(
                    WORKFLOW,
                    pack(job.to_json()),
                    id=child,
                    parent_close_policy=ParentClosePolicy.ABANDON,
                )
            )
        )

    async def all_spawned(self) -> None:
        """Wait until the server has taken in every tree that was spawned."""
        while self._starting:
            starting, self._starting = self._starting, []
            await asyncio.gather(*starting)

    async def at_step(self, rest: Branch) -> None:
        """Go on in a new run when the history has become long."""
        if not self._alone:
            return
        if _history_is_long():
            raise ContinueWith(rest)

    # -- revoke

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tasks with these ids must not run; running ones are ended if ``terminate``."""
        self.revoked.update(dict.fromkeys(ids))
        for task_id in ids if terminate else ():
            run = self._running.get(task_id)
            if run is not None:
                run.revoked = True
                run.handle.cancel()


def _history_is_long() -> bool:
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() > EVENTS


def _sliced(branches: Sequence[Branch], width: int) -> Iterator[slice]:
    """Parts of at most ``width`` tasks each; a branch is never cut."""
    start = weight = 0
    for position, branch in enumerate(branches):
        tasks = _tasks(branch.node)
        if position > start and weight + tasks > width:
            yield slice(start, position)
            start, weight = position, 0
        weight += tasks
    if branches:
        yield slice(start, len(branches))


def _tasks(node: Node) -> int:
    """How many tasks the node holds, those of callbacks left out."""
    if isinstance(node, Leaf):
        return 1
    return sum(map(_tasks, children(node)))
