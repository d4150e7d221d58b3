"""Celery's time limits, as alarms in the process that runs the task."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.calls import TaskCall


def limits_of(app: Celery, call: TaskCall) -> tuple[float | None, float | None]:
    """Hard and soft time limit in seconds: those of the call, the task, or all of the app."""
    options, task = call.signature["options"], app.tasks.get(call.name)
    hard, soft = (
        options.get(name) or getattr(task, name, None) or app.conf.get(f"task_{name}")
        for name in ("time_limit", "soft_time_limit")
    )
    return hard, soft


@contextmanager
def time_limits(hard: float | None, soft: float | None) -> Iterator[None]:
    """Interrupt what runs inside with Celery's exceptions, seconds after the beginning.

    Signals reach only the main thread, so that elsewhere limits are the engine's affair. The hard
    limit is an exception as well, not the end of the process: a task that catches everything, or
    stays inside a C function, outlives it.
    """
    shorter = [limit for limit in (soft, hard) if limit]
    if not shorter or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signum: int, _frame: object) -> None:
        if soft and shorter[0] == soft:
            shorter.pop(0)
            if hard:
                signal.setitimer(signal.ITIMER_REAL, max(hard - soft, 0.001))
            raise SoftTimeLimitExceeded(soft)
        raise TimeLimitExceeded(hard)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, min(shorter))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
