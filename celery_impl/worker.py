"""The worker: `celery worker` with the prefork pool, one process for each step at a time.

SIGTERM is Celery's warm shutdown: no new messages are taken, the tasks in hand are let end, and
what was reserved goes back to the queue. A step that reaches its process in the very moment of
the signal runs to its end there and goes back to the queue as well, so that it runs twice: Celery's
pool lets the broker have whatever no process has said that it has begun. A second SIGTERM, or
SIGQUIT, is a cold one, after the seconds of `worker_soft_shutdown_timeout`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery

from celery_impl.app import PROFILE, connect
from celery_impl.counted import ENGINE
from celery_impl.reach import reach
from shared import metrics
from shared.settings import settings


def worker_command(concurrency: int) -> list[str]:
    """The argument vector of one worker, as the project's own command."""
    return [sys.executable, "-m", "celery_impl", "worker", "--concurrency", str(concurrency)]


def run_worker(concurrency: int) -> None:
    """Work in the foreground until SIGTERM.

    Raises:
        UsageError: the broker or the result backend does not answer. Celery's own worker would try
            again for minutes at its start; a broker that goes away later is waited for.
    """
    app = connect()
    reach(app)
    _begin_counts(app)
    app.worker_main(
        [
            "worker",
            "--pool=prefork",
            f"--concurrency={concurrency}",
            # Tell about tasks: the comparisons, Flower and `celery events` look on.
            "--task-events",
            # Several workers on one machine need names of their own.
            f"--hostname=voter-rolls-{os.getpid()}@%h",
            "--loglevel=WARNING",
        ]
    )


def _begin_counts(app: Celery[Any]) -> None:
    meter = metrics.meter()
    if meter is None:
        return
    app.loader.import_default_modules()
    meter.knows(ENGINE, {name.rpartition(".")[2] for name in app.tasks})
    if PROFILE.name == "hardened":
        meter.schedule(ENGINE, "sweep", settings().sweep_every)
