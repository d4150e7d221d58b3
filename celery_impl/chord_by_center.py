"""`chord_by_center`: one task per center, which assigns its stations and prints their rolls.

    group(assign_and_print(run, center) for each center) | sum_pages(run)

The fan-out needs no station list beforehand, so the caller does no work. The grains are as uneven
as the centers: the task of the largest center decides when the sum can begin, and while it runs
the other processes have nothing to do. Empty centers take part with 0 pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import group
from celery.canvas import Signature

from celery_impl.app import PROFILE, app
from celery_impl.tasks import attempt_of, sum_pages
from shared import steps

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult


@app.task(bind=True, **PROFILE.step)
def assign_and_print(self: Task[Any, Any], run_id: str, center_id: str) -> int:
    """Assign one center and print its rolls; returns their pages."""
    attempt = attempt_of(self)
    steps.assign_center(run_id, center_id, attempt=attempt)
    return sum(
        steps.generate_roll(run_id, station_id, attempt=attempt)
        for station_id in steps.list_stations(run_id, center_id)
    )


def canvas(run_id: str) -> Signature[Any]:
    """A chord whose header has one task per center."""
    header = group(assign_and_print.si(run_id, center_id) for center_id in steps.list_centers())
    return header | sum_pages.s(run_id=run_id)


def start(run_id: str) -> AsyncResult[int]:
    """Queue the chord."""
    return canvas(run_id).apply_async()
