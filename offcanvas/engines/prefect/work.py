"""The work of a flow run: calls in the processes of a pool, with limits, losses and revokes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from offcanvas.canvas.calls import ChordFailure, ErrorWire, TaskCall, TaskOutcome
from offcanvas.celery_app.importable import load_app
from offcanvas.celery_app.persistence import make_persistent
from offcanvas.celery_app.rate_limits import require_rate_limits
from offcanvas.celery_app.settings import change_settings
from offcanvas.celery_app.shared_results import require_shared_results
from offcanvas.engines.batches import Batch
from offcanvas.engines.prefect import process as here
from offcanvas.engines.prefect.fence import LEASE
from offcanvas.engines.prefect.reading import Reading
from offcanvas.engines.processes import process
from offcanvas.engines.processes.attempt import attempt
from offcanvas.engines.processes.batch import BatchRun
from offcanvas.engines.processes.pool import Pool, ProcessLostError, process_pool
from offcanvas.engines.processes.rates import Rates
from offcanvas.errors import BadTarget

if TYPE_CHECKING:
    from celery import Celery


class Work:
    """What a worker can do. Methods may be called concurrently, in the pool's event loop.

    ``slots`` is how many calls one flow run should have in hand: more than there are processes,
    so that none waits for Prefect's bookkeeping. ``lease`` is for how many seconds the server's
    word counts that a flow run is this worker's (``fence``). ``limit`` is the most of a batch that
    runs here at a time. ``reading`` is where all flow runs here ask what the server has of them.
    """

    def __init__(
        self,
        app: Celery,
        pool: Pool,
        processes: int,
        lease: float = LEASE,
        limit: Batch = None,
    ) -> None:
        self.app = app
        self.limit = limit
        self.lease = lease
        self.slots = 4 * processes
        self.rates = Rates(app)
        self.reading = Reading()
        self._pool = pool

    async def run_task(self, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome:
        """One attempt. Cancelled, it kills the process of the task."""
        given = {**raw, "call": call.to_json()}
        while True:
            try:
                ran = await attempt(
                    self.app, self._pool, call, given, work=here.run_task, engine="prefect"
                )
            except ProcessLostError:
                given["again"] = False
            else:
                return TaskOutcome.from_json(ran)

    def batch(
        self,
        calls: Sequence[TaskCall],
        raws: Sequence[Mapping[str, Any]],
        *,
        target: float | None,
        until: float,
    ) -> BatchRun:
        """An attempt at each of several calls; see ``BatchRun``."""
        given = [{**raw, "call": call.to_json()} for call, raw in zip(calls, raws, strict=True)]
        return BatchRun(
            self.app,
            self._pool,
            calls,
            given,
            work=here.run_task,
            target=target,
            until=until,
            engine="prefect",
        )

    async def revoke_task(self, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome:
        """Store that the task was revoked (``process.revoke_task``)."""
        return await self._do(process.revoke_task, {**raw, "call": call.to_json()})

    async def fail_chord(self, failure: ChordFailure, raw: Mapping[str, Any]) -> TaskOutcome:
        """See ``task_runtime.fail_chord``."""
        return await self._do(here.fail_chord, {**raw, "failure": failure.to_json()})

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """See ``task_runtime.store_failures``."""
        raw = {"task_ids": list(task_ids), "error": error, "culprit": culprit}
        await self._pool.do(process.store_failures, raw)

    async def _do(
        self, work: Callable[[Mapping[str, Any]], dict[str, Any]], raw: Mapping[str, Any]
    ) -> TaskOutcome:
        return TaskOutcome.from_json(await self._pool.do(work, raw))


def load(target: str, settings: Mapping[str, Any]) -> Celery:
    """The app at ``module:name``, with all its tasks and these settings.

    Raises:
        BadTarget: there is none.
        EngineUnavailable: it keeps no results that processes share.
        UsageError: a task has a rate_limit that says nothing.
    """
    app = load_app(target)
    change_settings(app, settings)
    app.loader.import_default_modules()
    app.finalize()
    require_rate_limits(app, app.tasks)
    require_shared_results(app)
    make_persistent(app.backend)  # jobs are read here
    return app


#: What this process has resident, by the app's name. A worker of ours puts one there; a flow run
#: that Prefect executes in a process of its own finds none and brings its own.
_resident: dict[str, Work] = {}


@asynccontextmanager
async def resident(
    target: str,
    processes: int,
    settings: Mapping[str, Any],
    lease: float = LEASE,
    limit: Batch = None,
) -> AsyncIterator[Work]:
    """Processes for the app at ``target``, for all flow runs of this event loop.

    Raises:
        BadTarget: there is no app.
        EngineUnavailable: it keeps no results that processes share.
        EngineError: a process cannot be started.
    """
    app = load(target, settings)
    given = {"result_backend": app.conf.result_backend, **settings}
    async with process_pool(processes, target, given) as pool:
        _resident[target] = Work(app, pool, processes, lease, limit)
        try:
            yield _resident[target]
        finally:
            del _resident[target]


@asynccontextmanager
async def work_for(target: str) -> AsyncIterator[Work]:
    """The resident processes, or some for the time of one flow run.

    Raises:
        BadTarget: this process is a worker for another app. Whoever may start flow runs must not
            have it import what they like.
    """
    if target in _resident:
        yield _resident[target]
        return
    if _resident:
        raise BadTarget(
            f"this worker serves {', '.join(_resident)}, and the flow run asks for {target[:100]}"
        )
    processes = int(os.environ.get("OFFCANVAS_PROCESSES") or os.cpu_count() or 1)
    async with resident(target, processes, own_settings()) as work:
        yield work


def own_settings() -> dict[str, Any]:
    """What the environment says about the app: OFFCANVAS_RESULT_BACKEND, OFFCANVAS_INCLUDE."""
    backend = os.environ.get("OFFCANVAS_RESULT_BACKEND")
    include = os.environ.get("OFFCANVAS_INCLUDE")
    return {
        **({"result_backend": backend} if backend else {}),
        **({"include": include.split(",")} if include else {}),
    }
