"""The plugin that lets a Temporal worker run canvases of a Celery app.

What decides when something goes wrong, in Celery's words and in Temporal's:

=====================================  ==========================================================
``self.retry``, ``autoretry_for``      decided by the task; a durable timer, then a new activity
``time_limit``                         the worker kills the process: TimeLimitExceeded;
                                       ``start_to_close_timeout`` is 30 s more
``soft_time_limit``                    an alarm in the process
``countdown``, ``eta``                 a durable timer
``expires``                            looked at when the task is about to begin
a task's process dies                  WorkerLostError; with ``acks_late`` and
                                       ``reject_on_worker_lost`` the task runs again
a worker goes silent                   after ``heartbeat_timeout`` (20 s) without a heartbeat
                                       WorkerLostError; with ``acks_late`` the task runs again,
                                       elsewhere
a task fails, a canvas fails           the activity fails, and the workflow, with the task's error
``revoke``                             a signal to the workflows that run; with ``terminate`` the
                                       activity is cancelled and its process killed
=====================================  ==========================================================

So Temporal's own retry policy has one attempt for a task that is acknowledged early, as Celery
never runs such a task twice (at most once), and any number for one with ``acks_late`` (at least
once). Results that cannot be stored are stored again until they are.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkerConfig

from offcanvas.celery_app.importable import importable, task_modules
from offcanvas.celery_app.rate_limits import require_rate_limits
from offcanvas.engines.batches import Batch, batch_of
from offcanvas.engines.processes.pool import process_pool
from offcanvas.engines.temporal.activities import Activities
from offcanvas.engines.temporal.driver import HEARTBEAT_THROTTLE
from offcanvas.engines.temporal.workflow import CanvasWorkflow

if TYPE_CHECKING:
    from celery import Celery


class CanvasPlugin(SimplePlugin):
    """Adds to a worker the workflow that walks canvases and an activity for each task.

    Args:
        app: the Celery app. It must be a global of a module that a process can import.
        processes: how many tasks run at a time, each in a process of its own. By default the
            worker's ``max_concurrent_activities``, else one for each CPU.
        batch: what of a batch runs here before the rest is given back: so many members, or what
            half a second is enough for with "auto". None for what the canvas says.

    A worker that does not limit its activities itself (``max_concurrent_activities``, ``tuner``)
    takes as many at a time as there are processes, so that a task does not wait in a worker while
    another one is idle.

    Raises:
        BadTarget: no module has the app.
        UsageError: ``batch`` is none of these, or a task has a rate_limit that says nothing.
    """

    def __init__(self, app: Celery, *, processes: int | None = None, batch: Batch = None) -> None:
        self.app = app
        self._target = importable(app)
        self._processes = processes
        self._activities = Activities(app, batch_of(batch))
        app.loader.import_default_modules()
        app.finalize()
        require_rate_limits(app, app.tasks)
        super().__init__(
            "offcanvas.CanvasPlugin",
            workflows=[CanvasWorkflow],
            activities=self._activities.all(),
            run_context=self._pool,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class."""
        config = super().configure_worker(config)
        activities = config.get("activities", ())
        if not any(map(_is_dynamic, activities)):
            config["activities"] = [*activities, self._activities.unknown()]
        given = config.get("max_concurrent_activities")
        self._processes = self._processes or given or os.cpu_count() or 1
        if given is None and config.get("tuner") is None:
            config["max_concurrent_activities"] = self._processes
        # The SDK holds heartbeats back, and with them the news that a task is to be terminated.
        given_interval = config.get("max_heartbeat_throttle_interval", HEARTBEAT_THROTTLE)
        config["max_heartbeat_throttle_interval"] = min(given_interval, HEARTBEAT_THROTTLE)
        return config

    @property
    def ready(self) -> bool:
        """Whether the processes are there."""
        return self._activities.pool is not None

    @property
    def at_work(self) -> bool:
        """Whether a task runs."""
        return self._activities.pool is not None and self._activities.pool.at_work

    def kill_tasks(self) -> None:
        """End the tasks that run now, for a worker that is not to wait for them."""
        if self._activities.pool is not None:
            self._activities.pool.kill()

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[None]:
        if self._processes is None or self._activities.pool is not None:
            yield  # a replayer has no activities
            return
        settings = {
            "result_backend": self.app.conf.result_backend,
            "include": task_modules(self.app),
        }
        async with process_pool(self._processes, self._target, settings) as pool:
            self._activities.pool = pool
            try:
                yield
            finally:
                self._activities.pool = None


def _is_dynamic(one: Callable[..., Any]) -> bool:
    # A worker takes one for all names that it does not know, and the SDK has no public way to ask.
    definition = getattr(one, "__temporal_activity_definition", None)
    return definition is not None and definition.name is None
