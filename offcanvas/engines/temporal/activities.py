"""The activities: one for each of the app's tasks, under the task's own name.

They are coroutines of the worker that have the work done by its pool, and beat while it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from offcanvas.engines.processes import process
from offcanvas.engines.processes.attempt import attempt
from offcanvas.engines.processes.pool import Pool, ProcessLostError
from offcanvas.engines.temporal.client import revoke
from offcanvas.engines.temporal.driver import BEAT
from offcanvas.engines.temporal.job import FAIL_CHORD, LOSE_TASK, REVOKE_TASK, STORE_FAILURES
from offcanvas.engines.temporal.payload import pack, unpack
from offcanvas.engines.walker import TaskCall

if TYPE_CHECKING:
    from celery import Celery

Activity: TypeAlias = Callable[[RawValue], Awaitable[RawValue]]


class Activities:
    """What a worker can do. ``pool`` is there while the worker runs."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.pool: Pool | None = None

    def all(self) -> list[Activity]:
        """One for each task of the app, and those that store what no task stores."""
        tasks = [_named(name, self._run_task) for name in sorted(self.app.tasks)]
        return [
            *tasks,
            _named(FAIL_CHORD, self._short(process.fail_chord)),
            _named(STORE_FAILURES, self._short(process.store_failures)),
            _named(LOSE_TASK, self._short(process.lose_task)),
            _named(REVOKE_TASK, self._short(process.revoke_task)),
        ]

    def _short(self, work: Callable[[Mapping[str, Any]], Any]) -> Activity:
        async def do(raw: RawValue) -> RawValue:
            async with _beating():
                return pack(await self._pool().do(work, unpack(raw)))

        return do

    async def _run_task(self, raw: RawValue) -> RawValue:
        given = unpack(raw)
        call = TaskCall.from_json(given["call"])
        async with _beating():
            try:
                outcome = await attempt(self.app, self._pool(), call, given, patient=_worker_stops)
            except ProcessLostError as error:
                raise ApplicationError(str(error), type=type(error).__name__) from error
            for one in outcome.get("revoked", ()):
                await _tell(one)
        return pack(outcome)

    def _pool(self) -> Pool:
        if self.pool is None:
            raise RuntimeError("the worker does not run: CanvasPlugin starts and stops its pool")
        return self.pool


def _named(name: str, work: Activity) -> Activity:
    async def do(raw: RawValue) -> RawValue:
        return await work(raw)

    return activity.defn(name=name)(do)


async def _tell(revoked: Mapping[str, Any]) -> None:
    try:
        await revoke(activity.client(), revoked["ids"], terminate=revoked["terminate"])
    except RPCError as error:
        # The task has ended, and well: it does not run again for what it has asked of others.
        activity.logger.warning("could not tell that %s are revoked: %s", revoked["ids"], error)


def _worker_stops() -> bool:
    # Celery's warm shutdown: what runs may end. Anything else that cancels is meant for the task.
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT.total_seconds())
            activity.heartbeat()

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
