"""The work of a flow run: calls in the processes of a pool, with limits, losses and revokes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from offcanvas.engines.prefect import process as here
from offcanvas.engines.processes import process
from offcanvas.engines.processes.attempt import attempt
from offcanvas.engines.processes.pool import Pool, ProcessLostError, process_pool
from offcanvas.engines.settings import change_settings
from offcanvas.engines.walker import ChordFailure, ErrorWire, TaskCall, TaskOutcome
from offcanvas.errors import BadTarget

if TYPE_CHECKING:
    from celery import Celery


class Work:
    """What a worker can do. Methods may be called concurrently, in the pool's event loop.

    ``slots`` is how many calls one flow run should have in hand: more than there are processes,
    so that none waits for Prefect's bookkeeping.
    """

    def __init__(self, app: Celery, pool: Pool, processes: int) -> None:
        self.app = app
        self.slots = 4 * processes
        self._pool = pool

    async def run_task(self, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome:
        """One attempt. Cancelled, it kills the process of the task."""
        given = {**raw, "call": call.to_json()}
        while True:
            try:
                ran = await attempt(self.app, self._pool, call, given, work=here.run_task)
            except ProcessLostError:
                given["again"] = False
            else:
                return TaskOutcome.from_json(ran)

    async def revoke_task(
        self, call: TaskCall, raw: Mapping[str, Any], *, terminated: bool
    ) -> TaskOutcome:
        """Store that the task was revoked."""
        given = {**raw, "call": call.to_json(), "terminated": terminated}
        return await self._do(process.revoke_task, given)

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
        BadTarget: there is none, or it keeps no results.
    """
    module, _, name = target.partition(":")
    try:
        app: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadTarget(f"{target} leads to no Celery app: {error}") from error
    change_settings(app, settings)
    app.loader.import_default_modules()
    app.finalize()
    kept = app.conf.result_backend
    if str(kept or "disabled").startswith(("disabled", "cache+memory", "rpc", "amqp")):
        raise BadTarget(
            f"{target} has the result backend {kept!r}; callers and workers have to share one: "
            f"redis, a database, or file:///path"
        )
    return app  # type: ignore[no-any-return]  # whatever it is, it has behaved like one


#: What this process has resident, by the app's name. A worker of ours puts one there; a flow run
#: that Prefect executes in a process of its own finds none and brings its own.
_resident: dict[str, Work] = {}


@asynccontextmanager
async def resident(target: str, processes: int, settings: Mapping[str, Any]) -> AsyncIterator[Work]:
    """Processes for the app at ``target``, for all flow runs of this event loop.

    Raises:
        BadTarget: there is no app, or it keeps no results.
        EngineError: a process cannot be started.
    """
    app = load(target, settings)
    async with process_pool(processes, target, settings) as pool:
        _resident[target] = Work(app, pool, processes)
        try:
            yield _resident[target]
        finally:
            del _resident[target]


@asynccontextmanager
async def work_for(target: str) -> AsyncIterator[Work]:
    """The resident processes, or some for the time of one flow run."""
    if target in _resident:
        yield _resident[target]
        return
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
