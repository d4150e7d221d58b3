"""The walker's hands on Temporal: tasks are activities, delays timers, wide groups children.

Limits, and what they are far below: a history ends at 51,200 events, the server takes 2,000
pending activities or children for each workflow.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TimeoutError,  # noqa: A004  # Temporal's name for what its server times out
    WorkflowAlreadyStartedError,
)
from temporalio.workflow import ActivityConfig, ParentClosePolicy

from offcanvas.canvas.calls import (
    LATER,
    LEFT,
    REPLACED,
    STORED_TEXT,
    Branch,
    ChordFailure,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
)
from offcanvas.canvas.nodes import Chain, Node, Value
from offcanvas.canvas.planner import result_id
from offcanvas.canvas.stamps import names_of, only_stamped
from offcanvas.engines.batches import TARGET, Batches, Ran, has_siblings, with_siblings
from offcanvas.engines.slices import sliced
from offcanvas.engines.temporal.failures import detail_of
from offcanvas.engines.temporal.job import (
    FAIL_CHORD,
    KEEP_TEXT,
    LOAD_TEXT,
    LOSE_BATCH,
    LOSE_TASK,
    REVOKE_TASK,
    STORE_FAILURES,
    WORKFLOW,
    Job,
    Report,
)
from offcanvas.engines.temporal.payload import MOST, pack, unpack
from offcanvas.engines.temporal.shown import Shown, batch_summary, call_summary, shown
from offcanvas.engines.walker import Walker

#: Activities of one workflow at a time.
IN_FLIGHT = 100
#: Tasks that one workflow runs side by side; what is wider is cut into children. A task takes three
#: events, and up to three more for the workflow task that its end wakes.
SLICE = 1_000
#: Children that walk slices at a time.
SLICES_IN_FLIGHT = 4
#: Events after which a chain goes on in a new run, and groups in children. The server warns at
#: 10,240.
EVENTS = 8_000

#: Seconds without a heartbeat after which a worker is lost, unless the canvas says otherwise. A
#: task sends one in each quarter of it; the answer tells it that it is to be terminated.
HEARTBEAT_TIMEOUT = 20.0
#: The SDK may hold a heartbeat back for so long.
HEARTBEAT_THROTTLE = timedelta(seconds=1)
#: Bytes that the canvases of one task may come to; what else a task has to say fits into the rest.
ROOM = MOST - 65_536
_JOURNAL = uuid.UUID("5d1b1a6e-6f0b-4d0c-9f7e-0c7a3f6f2b11")

#: Seconds above a task's time limit: the worker's pool ends the task, the server only a worker
#: that hangs.
GRACE = 30.0
#: Temporal wants a limit; Celery has none unless one is set.
NO_LIMIT = timedelta(days=3650)

#: Characters of JSON from which a list of values travels by reference: the server takes 2 MB at a
#: time, and a group that follows a group has the list in each of its calls.
CARRIED = 65_536
#: Characters that are stored at a time.
PIECE = 1_000_000
#: Activities that fail so fail again: the worker does not know the task, or an argument of it was
#: left in the result backend and is no longer there.
_HOPELESS = ("NotFoundError", "LookupError")


#: The change with which workflows that tasks start have titles (``workflow.patched``).
TITLED = "offcanvas-titled"
#: The change with which attempts that are left behind have workflows of their own names.
LEFT_BEHIND = "offcanvas-left-behind"


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
    names: frozenset[str]
    revoked: bool = False
    #: What has been terminated of a batch.
    terminated: list[str] = field(default_factory=list)


class TemporalDriver:
    """See ``walker.Driver``."""

    def __init__(self, job: Job) -> None:
        self.settings = job.settings
        self.spawned = list(job.spawned)
        self.revoked = dict.fromkeys(job.revoked)
        self._children = job.children
        self._alone = len(job.branches) == 1
        self._had = job.had
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._slices = asyncio.Semaphore(SLICES_IN_FLIGHT)
        self._width = job.settings.slice
        self._starting: list[asyncio.Task[Any]] = []
        self._running: list[_Run] = []
        self._replaced: Counter[str] = Counter()
        self._together: dict[str, _Run] = {}
        self._count = 0
        self._batches: Batches | None = None
        if job.settings.batch is not None:
            self._batches = Batches(
                job.settings.batch,
                run=self._run_batch,
                alone=self._run_alone,
                kind=lambda call: self._queues.get(call.signature["options"].get("queue")),
                in_flight=IN_FLIGHT,
                sleep=self.sleep,
                pace=job.pace,
            )
        self._late = frozenset(job.settings.late)
        self._queues = dict(job.settings.queues)
        self._heartbeat = timedelta(seconds=job.settings.heartbeat_timeout)
        # Storing also calls errbacks of the new style, which are user code and may take their time.
        self._storing = ActivityConfig(
            start_to_close_timeout=NO_LIMIT, heartbeat_timeout=self._heartbeat
        )

    def job(self, *branches: Branch) -> Job:
        """What another run of this workflow would need to go on with ``branches``."""
        return Job(
            branches,
            self.settings,
            self._children,
            tuple(self.spawned),
            tuple(self.revoked),
            pace=self.pace,
        )

    @property
    def pace(self) -> tuple[tuple[str, float], ...]:
        """Seconds that tasks take, as far as that was learnt."""
        return () if self._batches is None else tuple(self._batches.pace.items())

    # -- tasks

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run an activity of the task's name, or have it run with others."""
        if self._had is not None:
            outcome, self._had = TaskOutcome.from_json(self._had), None
        elif self._batches is not None and has_siblings():
            outcome = await self._batches.run_task(call)
        else:
            outcome = await self._run_alone(call)
        if outcome.state == LATER:
            # The worker has kept a place for it (rate_limit): nothing runs meanwhile, anywhere.
            await self.sleep(outcome.delay)
            async with self._slots:
                if self._is_revoked(call):
                    return await self._store_revoked(call)
                outcome = await self._run(call, in_time=True)
        if outcome.state == REPLACED:
            self._replaced[call.task_id] += 1
        return outcome

    async def _run_alone(self, call: TaskCall, told: bool = False) -> TaskOutcome:
        """In an activity of its own. ``told``: it has run, and is asked what it came to."""
        async with self._slots:
            if self._is_revoked(call) and not told:
                return await self._store_revoked(call)
            return await self._run(call, told=told)

    async def _store_revoked(self, call: TaskCall) -> TaskOutcome:
        given = self._input(call)
        if only_stamped(call, self.revoked):
            given["stamped"] = True
        return await self._outcome(REVOKE_TASK, given, **self._storing)

    def _is_revoked(self, call: TaskCall) -> bool:
        return not self.revoked.keys().isdisjoint(names_of(call))

    async def _run(
        self, call: TaskCall, *, in_time: bool = False, told: bool = False
    ) -> TaskOutcome:
        given = {**self._input(call), "fail": self.settings.fail_workflows}
        for name, is_so in (("in_time", in_time), ("told", told)):
            if is_so:
                given[name] = True
        handle = workflow.start_activity(
            call.name, pack(given), result_type=RawValue, **self._config(call)
        )
        run = _Run(handle, frozenset(names_of(call)))
        self._running.append(run)
        try:
            return TaskOutcome.from_json(unpack(await handle))
        except ActivityError as error:
            failed = detail_of(error.cause)
            if failed is not None:
                return TaskOutcome.from_json(failed)
            if run.revoked:
                terminated = {**self._input(call), "terminated": True}
                return await self._outcome(REVOKE_TASK, terminated, **self._storing)
            if isinstance(error.cause, CancelledError):
                raise
            # The worker is gone, and the task may have run: Celery would not run it again.
            # Or no worker knows the task, and the activity says so as a Celery worker does.
            lost = {**self._input(call), "why": str(error.cause or error)}
            return await self._outcome(LOSE_TASK, lost, **self._storing)
        finally:
            self._running = [one for one in self._running if one is not run]

    # -- several in one activity

    async def _run_batch(self, calls: Sequence[TaskCall]) -> Ran:
        outcomes = dict.fromkeys(range(len(calls)), TaskOutcome(LEFT))
        begin: list[int] = []
        for place, call in enumerate(calls):
            if self._is_revoked(call):
                outcomes[place] = await self._run_alone(call)
            else:
                begin.append(place)
        if not begin:
            return Ran(list(outcomes.values()))
        ran = await self._start_batch([calls[place] for place in begin])
        outcomes.update(zip(begin, ran.outcomes, strict=True))
        return replace(ran, outcomes=list(outcomes.values()))

    async def _start_batch(self, calls: Sequence[TaskCall]) -> Ran:
        given = {
            "calls": [call.to_json() for call in calls],
            "entries": [self._entry(call) for call in calls],
            "strict": self.settings.strict,
            "since": workflow.time(),
            "most": ROOM,
        }
        if self.settings.batch == "auto":
            given["target"] = TARGET
        names = frozenset(name for call in calls for name in names_of(call))
        config = self._config(calls[0])
        config["start_to_close_timeout"] = self._limit_of(calls)
        config["summary"] = batch_summary(calls)
        self._count += 1
        name = f"batch-{self._count}"
        config["activity_id"] = name
        handle = workflow.start_activity(calls[0].name, pack(given), result_type=RawValue, **config)
        self._together[name] = _Run(handle, names)
        try:
            answer = unpack(await handle)
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                raise
            if isinstance(error.cause, ApplicationError) and error.cause.type in _HOPELESS:
                # No worker knows the task: each says so as a Celery worker does.
                return Ran([TaskOutcome(LEFT, why="alone")] * len(calls))
            return await self._without_its_worker(given, error)
        finally:
            del self._together[name]
        outcomes = [TaskOutcome.from_json(outcome) for outcome in answer["outcomes"]]
        return Ran(outcomes, answer["seconds"], answer["ran"])

    def _limit_of(self, calls: Sequence[TaskCall]) -> timedelta:
        limits = [call.signature["options"].get("time_limit") for call in calls]
        own = [limit or self.settings.time_limit for limit in limits]
        if not all(own):
            return NO_LIMIT
        return timedelta(seconds=sum(limit for limit in own if limit) + GRACE)

    async def _without_its_worker(self, given: dict[str, Any], error: ActivityError) -> Ran:
        """Which have ended the result backend knows, what was running is lost, the rest goes on."""
        cause, ended = error.cause, 0
        if isinstance(cause, TimeoutError) and cause.last_heartbeat_details:
            ended = cause.last_heartbeat_details[0]["ended"]
        packed = await workflow.execute_activity(
            LOSE_BATCH,
            pack({**given, "ended": ended, "why": str(cause or error)}),
            result_type=RawValue,
            **self._storing,
        )
        return Ran([TaskOutcome.from_json(outcome) for outcome in unpack(packed)])

    def terminated(self, activity_id: str) -> list[str] | None:
        """Of a batch that is cancelled, the names of what is to be ended at once; None: all."""
        run = self._together.get(activity_id)
        return None if run is None or not run.revoked else run.terminated

    def _input(self, call: TaskCall) -> dict[str, Any]:
        return {
            "call": call.to_json(),
            "strict": self.settings.strict,
            "entry": self._entry(call),
            "since": workflow.time(),
            "most": ROOM,
        }

    def _entry(self, call: TaskCall) -> str:
        """The attempt's name in the journal: the name of a result, which any backend takes."""
        run = workflow.info().workflow_id
        nth = f"{call.retries}/{self._replaced[call.task_id]}/{call.deliveries}"
        return str(uuid.uuid5(_JOURNAL, f"{run}/{call.task_id}/{nth}"))

    def _config(self, call: TaskCall) -> ActivityConfig:
        options = call.signature["options"]
        limit = options.get("time_limit") or self.settings.time_limit
        config = ActivityConfig(
            start_to_close_timeout=timedelta(seconds=limit + GRACE) if limit else NO_LIMIT,
            heartbeat_timeout=self._heartbeat,
            summary=call_summary(call),
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
        return await self._outcome(FAIL_CHORD, raw, **self._storing)

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """An activity for all of them."""
        raw = {"task_ids": list(task_ids), "error": error, "culprit": culprit}
        await workflow.execute_activity(
            STORE_FAILURES, pack(raw), result_type=RawValue, **self._storing
        )

    async def _outcome(self, name: str, raw: Any, **config: Any) -> TaskOutcome:
        packed = await workflow.execute_activity(name, pack(raw), result_type=RawValue, **config)
        return TaskOutcome.from_json(unpack(packed))

    async def carry(self, values: list[Value]) -> Value:
        """They themselves, or where in the result backend activities have put them."""
        text = json.dumps(values, separators=(",", ":"))
        if len(text) <= CARRIED:
            return values
        places = []
        for start in range(0, len(text), PIECE):
            places.append(str(workflow.uuid4()))
            piece = {"text": text[start : start + PIECE], "place": places[-1]}
            await workflow.execute_activity(
                KEEP_TEXT, pack(piece), result_type=RawValue, **self._storing
            )
        return {STORED_TEXT: places}

    async def load(self, places: Sequence[str]) -> str:
        """The text that is stored in these places, one after the other."""
        config = self._storing.copy()
        config["retry_policy"] = RetryPolicy(non_retryable_error_types=_HOPELESS)
        texts = []
        for place in places:
            packed = await workflow.execute_activity(
                LOAD_TEXT, pack({"place": place}), result_type=RawValue, **config
            )
            texts.append(unpack(packed))
        return "".join(texts)

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
        slices = list(sliced(branches, self._width))
        if len(slices) <= 1 and not _history_is_long():
            return await self._all_here(branches, walk)
        ends = await asyncio.gather(*(self._slice(branches, part) for part in slices))
        return [end for part in ends for end in part]

    async def side_by_side(self, branches: Sequence[Branch]) -> list[End]:
        """Walk all branches here: this workflow is the slice."""
        return await self._all_here(branches, Walker(self).walk)

    async def _all_here(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        if self._batches is None or len(branches) < 2:
            return list(await asyncio.gather(*(walk(branch) for branch in branches)))

        async def one(branch: Branch) -> End:
            with_siblings()
            return await walk(branch)

        return list(await asyncio.gather(*(one(branch) for branch in branches)))

    async def _slice(self, branches: Sequence[Branch], part: slice) -> list[End]:
        async with self._slices:
            self._children += 1
            job = Job(
                tuple(branches[part]),
                self.settings,
                revoked=tuple(self.revoked),
                part=True,
                pace=self.pace,
            )
            packed = await workflow.execute_child_workflow(
                WORKFLOW,
                pack(job.to_json()),
                id=f"{workflow.info().workflow_id}/{self._children}",
                result_type=RawValue,
            )
        report = Report.from_json(unpack(packed))
        self.spawned += report.spawned
        if self._batches is not None:
            self._batches.pace.update(report.pace)
        return list(report.ends)

    def spawn(self, branch: Branch) -> None:
        """A workflow that outlives this one."""
        # Not named after this workflow: a task that starts itself again and again would make the
        # name longer each time.
        unique = str(workflow.uuid4())
        texts = shown(branch.node, result_id(branch.node) or unique)
        child = f"canvas-{unique}"
        # Not in a history from before trees were named after their results.
        if workflow.patched("trees-named-after-results"):
            titled = workflow.patched(TITLED)
            named = texts.id if titled else f"canvas-{result_id(branch.node)}"
            if not _is_inside(named) and not _is_left_behind(branch.node):
                child = named
        self.spawned.append(child)
        job = Job((branch,), self.settings, revoked=tuple(self.revoked))
        self._starting.append(asyncio.create_task(_begin(child, job, texts)))

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
        for run in [*self._running] if terminate else ():
            if not run.names.isdisjoint(ids):
                run.revoked = True
                run.handle.cancel()
        # What of a batch has not begun is given back, and not sent again.
        for run in [*self._together.values()]:
            if not run.names.isdisjoint(ids):
                run.revoked = True
                run.terminated += ids if terminate else ()
                run.handle.cancel()


async def _begin(name: str, job: Job, texts: Shown) -> None:
    # A tree of this name that runs has the same task id, and gives its result (``start_canvas``).
    with suppress(WorkflowAlreadyStartedError):
        handle = await workflow.start_child_workflow(
            WORKFLOW,
            pack(job.to_json()),
            id=name,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=texts.summary,
            static_details=texts.details,
            memo=texts.memo,
        )
        # How it ends is nobody's business here; a failure that nobody asks for is complained of.
        handle.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


def _is_left_behind(node: Node) -> bool:
    """Whether an attempt was left behind (``self.retry(throw=False)``).

    What follows the task follows it too: one result for several trees, each of which runs.
    """
    while isinstance(node, Chain):
        node = node.steps[0]
    return bool(node.options.retries) and workflow.patched(LEFT_BEHIND)


def _is_inside(name: str) -> bool:
    """Whether this workflow is of that tree: a task that sends itself again runs again."""
    here = workflow.info().workflow_id
    return here == name or here.startswith(f"{name}/")


def _history_is_long() -> bool:
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() > EVENTS
