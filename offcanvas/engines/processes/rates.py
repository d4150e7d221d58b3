"""Celery's ``rate_limit``: so many tasks of a name a second, minute or hour, in each worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from offcanvas.celery_app.rate_limits import per_second

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.calls import TaskCall


class Rates:
    """When tasks may begin, by their names. One for each worker, as with Celery.

    The distance between two tasks of a name is never less than its limit says; as in Celery's
    token bucket nothing is saved up while no task comes.

    Args:
        app: the app; a task's ``rate_limit``, or ``task_default_rate_limit``.
        clock: seconds that go up.
    """

    def __init__(self, app: Celery, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._next: dict[str, float] = {}

    def reserve(self, call: TaskCall) -> float:
        """Take the next place for a task; seconds until it may begin, 0 without a limit."""
        limit = self._limit(call.name)
        if not limit:
            return 0.0
        now = self._clock()
        begins = max(now, self._next.get(call.name, now))
        self._next[call.name] = begins + 1.0 / limit
        return begins - now

    def _limit(self, name: str) -> float:
        task = self._app.tasks.get(name)
        if task is None or self._app.conf.worker_disable_rate_limits:
            return 0.0
        return per_second(task)
