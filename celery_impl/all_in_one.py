"""`all_in_one`: one task does everything in a loop.

    everything(run)

The shortest form and the slowest. Nothing is parallel, nothing is visible from outside before the
end, and a failure at the last station repeats all stations: the retry is of the task, and the task
is the whole work. Only idempotent steps make that bearable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.canvas import Signature

from celery_impl.app import PROFILE, app
from celery_impl.tasks import attempt_of
from shared import steps

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult


@app.task(bind=True, **PROFILE.long_step)
def everything(self: Task[Any, Any], run_id: str) -> int:
    """Assign, print and add up, center by center; returns the total."""
    attempt = attempt_of(self)
    pages = []
    for center_id in steps.list_centers():
        steps.assign_center(run_id, center_id, attempt=attempt)
        for station_id in steps.list_stations(run_id, center_id):
            pages.append(steps.generate_roll(run_id, station_id, attempt=attempt))
    return steps.sum_pages(run_id, pages, attempt=attempt)


def canvas(run_id: str) -> Signature[int]:
    """The whole work as one message."""
    return everything.si(run_id)


def start(run_id: str) -> AsyncResult[int]:
    """Queue it."""
    return canvas(run_id).apply_async()
