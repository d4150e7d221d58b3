"""The activities: one for each of the app's tasks, under the task's own name.

They are coroutines of the worker: its pool does the work, and they send heartbeats meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from offcanvas.canvas.calls import FAILURE, LATER, REFUSED, TaskCall, TaskOutcome
from offcanvas.engines.batches import Batch
from offcanvas.engines.processes import process
from offcanvas.engines.processes.attempt import attempt
from offcanvas.engines.processes.members import lose_members
from offcanvas.engines.processes.pool import Pool, ProcessLostError
from offcanvas.engines.processes.rates import Rates
from offcanvas.engines.temporal import shapes
from offcanvas.engines.temporal.batch import run_batch, tell
from offcanvas.engines.temporal.failures import failure
from offcanvas.engines.temporal.job import (
    FAIL_CHORD,
    KEEP_TEXT,
    LOAD_TEXT,
    LOSE_BATCH,
    LOSE_TASK,
    REVOKE_TASK,
    STORE_FAILURES,
)
from offcanvas.engines.temporal.lone import LONE
from offcanvas.engines.temporal.lone_activity import run_lone
from offcanvas.engines.temporal.payload import MOST, pack, unpack
from offcanvas.errors import line_of

if TYPE_CHECKING:
    from celery import Celery

Activity: TypeAlias = Callable[[RawValue], Awaitable[RawValue]]


class Activities:
    """What a worker can do. ``pool`` is there while the worker runs, ``batch`` as of ``serve``."""

    def __init__(self, app: Celery, batch: Batch = None) -> None:
        self.app = app
        self.batch = batch
        self.pool: Pool | None = None
        self._rates = Rates(app)

    def all(self) -> list[Activity]:
        """One for each task of the app, and those that store what no task stores."""
        tasks = [_named(name, self._run_task) for name in sorted(self.app.tasks)]
        return [
            *tasks,
            _named(FAIL_CHORD, self._short(process.fail_chord, shapes.CHORD)),
            _named(STORE_FAILURES, self._short(process.store_failures, shapes.FAILURES)),
            _named(LOSE_TASK, self._short(process.lose_task, shapes.LOST)),
            _named(REVOKE_TASK, self._short(process.revoke_task, shapes.REVOKED)),
            _named(KEEP_TEXT, self._short(process.keep_text, shapes.KEPT)),
            _named(LOAD_TEXT, self._short(process.load_text, shapes.LOADED)),
            _named(LOSE_BATCH, self._short(lose_members, shapes.LOST_BATCH)),
        ]

    def unknown(self) -> Callable[[Sequence[RawValue]], Awaitable[RawValue]]:
        """What runs under another name: a task that was registered since the worker began, or one
        that is no task's here, which somebody sends without a workflow.
        """

        @activity.defn(dynamic=True)
        async def do(given: Sequence[RawValue]) -> RawValue:
            name = activity.info().activity_type
            if len(given) == 1 and (name in self.app.tasks or _is_lone(given[0])):
                return await self._run_task(given[0])
            raise ApplicationError(
                f"Activity function {name} is not registered on this worker", type="NotFoundError"
            )

        return do

    def _short(self, work: Callable[[Mapping[str, Any]], Any], shape: shapes.Shape) -> Activity:
        async def do(raw: RawValue) -> RawValue:
            given = _shaped(_read(raw), shape)
            async with _heartbeats():
                return pack(await self._pool().do(work, given))

        return do

    async def _run_task(self, raw: RawValue) -> RawValue:
        # An attempt before this one may have ended without the server hearing of it.
        given = _read_task(raw)
        if LONE in given:
            async with _heartbeats():
                return await run_lone(self.app, self._pool(), self._rates, given)
        given["again"] = activity.info().attempt > 1 or given.get("told", False)
        if "calls" in given:
            return await run_batch(self.app, self._pool(), self._rates, given, self.batch)
        call = TaskCall.from_json(given["call"])
        wait = 0.0 if given.get("in_time") else self._rates.reserve(call)
        if wait:
            # Not waited for here, where it would keep a place that other tasks could have.
            return pack(TaskOutcome(LATER, delay=wait).to_json())
        async with _heartbeats():
            try:
                outcome = await attempt(
                    self.app, self._pool(), call, given, patient=_worker_stops,
                    engine="temporal",
                    sent=activity.info().current_attempt_scheduled_time.timestamp(),
                )  # fmt: skip
            except ProcessLostError as error:
                raise ApplicationError(str(error), type=type(error).__name__) from error
            for one in outcome.get("revoked", ()):
                await tell(self.app, one)
            packed = pack(outcome)
            if packed.payload.ByteSize() > MOST:
                # The server would refuse it, and the task would count as lost.
                why = f"what the task has come to is more than the {MOST:,} bytes of Temporal"
                outcome = await self._pool().do(process.overflow_task, {**given, "why": why})
                packed = pack(outcome)
        if given.get("fail") and outcome["state"] in {FAILURE, REFUSED} and outcome.get("error"):
            raise failure(outcome["error"], outcome)
        return packed

    def _pool(self) -> Pool:
        if self.pool is None:
            raise RuntimeError("the worker does not run: CanvasPlugin starts and stops its pool")
        return self.pool


def _named(name: str, work: Activity) -> Activity:
    async def do(raw: RawValue) -> RawValue:
        return await work(raw)

    return activity.defn(name=name)(do)


def _is_lone(raw: RawValue) -> bool:
    try:
        return LONE in unpack(raw)
    except Exception:  # somebody else's
        return False


def _read(raw: RawValue) -> dict[str, Any]:
    """What an activity is given; anybody who may start one can have written it.

    Raises:
        ApplicationError: it cannot be read, and is not tried again. What only a newer worker
            understands is no such thing, and waits for one.
    """
    try:
        given = unpack(raw)
    except Exception as error:  # of JSON, zlib, or memory
        raise _refused(line_of(error)) from None
    if not isinstance(given, dict):
        raise _refused("an object of JSON was expected")
    return given


def _read_task(raw: RawValue) -> dict[str, Any]:
    given = _read(raw)
    if LONE not in given:
        return _shaped(given, shapes.BATCH if "calls" in given else shapes.TASK)
    _shaped(given, shapes.ALONE)
    job = _shaped(given[LONE], shapes.JOB, LONE)
    if not job.get("branches") and not job.get("nodes"):
        raise _refused(f"{LONE} has no branches")
    return given


def _shaped(given: dict[str, Any], shape: shapes.Shape, place: str = "") -> dict[str, Any]:
    """``given``, which has the shape.

    Raises:
        ApplicationError: it has not, and is not tried again.
    """
    wrong = shape(given, place)
    if wrong is not None:
        raise _refused(wrong)
    return given


def _refused(why: str) -> ApplicationError:
    return ApplicationError(f"this is not a task of offcanvas: {why}", non_retryable=True)


def _worker_stops() -> bool:
    # Celery's warm shutdown: what runs may end. Anything else that cancels is meant for the task.
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """A heartbeat in each quarter of the timeout: each is an action that Temporal Cloud bills."""
    timeout = activity.info().heartbeat_timeout

    async def send() -> None:
        while timeout is not None:
            await asyncio.sleep(timeout.total_seconds() / 4)
            activity.heartbeat()

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        sending.cancel()
