"""`chain`: one step after the other, each queued by the worker that ended the one before.

    assign_all(run) | generate_all(run) | sum_pages(run) | publish_summary(run)

A chain hands each result to the next task as its first argument. Where that is not wanted the
signature is immutable, `.si()`: only `sum_pages` takes what its predecessor returned. The rolls
are printed by one task in a loop; a chain has no place where a list could fan out.

If a task fails, those after it never run, and their results are stored as failures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import chain
from celery.canvas import Signature

from celery_impl.app import PROFILE, app
from celery_impl.tasks import assign_all, attempt_of, publish_summary, sum_pages
from shared import steps

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult


@app.task(bind=True, **PROFILE.long_step)
def generate_all(self: Task[Any, Any], run_id: str) -> list[int]:
    """Print every roll of the run; returns their pages."""
    attempt = attempt_of(self)
    stations = steps.list_stations(run_id)
    return [steps.generate_roll(run_id, station, attempt=attempt) for station in stations]


def canvas(run_id: str) -> Signature[Any]:
    """A chain of four."""
    return chain(
        assign_all.si(run_id),
        generate_all.si(run_id),
        sum_pages.s(run_id=run_id),
        publish_summary.si(run_id),
    )


def start(run_id: str) -> AsyncResult[int]:
    """Queue the chain; the first task assigns the stations."""
    return canvas(run_id).apply_async()
