"""The tasks that several variants share; each hands its references to one step and returns.

`bind=True` gives a task its own request, where Celery counts the retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from celery_impl.app import PROFILE, app
from shared import steps

if TYPE_CHECKING:
    from celery import Task


def attempt_of(task: Task[Any, Any]) -> int:
    """The number of this attempt, from 1."""
    return int(task.request.retries or 0) + 1


@app.task(bind=True, **PROFILE.step)
def assign_all(self: Task[Any, Any], run_id: str) -> int:
    """Assign every voter to a station; returns the number of stations."""
    return steps.assign_all(run_id, attempt=attempt_of(self))


@app.task(bind=True, **PROFILE.step)
def assign_center(self: Task[Any, Any], run_id: str, center_id: str) -> int:
    """Assign the voters of one center; returns the number of its stations."""
    return steps.assign_center(run_id, center_id, attempt=attempt_of(self))


@app.task(bind=True, **PROFILE.step)
def generate_roll(self: Task[Any, Any], run_id: str, station_id: str) -> int:
    """Print the roll of one station; returns its pages."""
    return steps.generate_roll(run_id, station_id, attempt=attempt_of(self))


@app.task(bind=True, **PROFILE.step)
def sum_pages(self: Task[Any, Any], pages: Sequence[int], *, run_id: str) -> int:
    """The fan-in: what the header returned comes first, as one list."""
    return steps.sum_pages(run_id, pages, attempt=attempt_of(self))


@app.task(bind=True, **PROFILE.step)
def publish_summary(self: Task[Any, Any], run_id: str) -> int:
    """Make the sum public; returns it."""
    return steps.publish_summary(run_id, attempt=attempt_of(self))


@app.task
def record_error(
    _request: object, error: Exception, _traceback: TracebackType | None, run_id: str
) -> None:
    """The error callback; Celery calls it inside the worker that saw the failure.

    The first three arguments come from Celery, because the function takes more than one positional
    argument and is not bound; with `bind=True`, or with the task id as its only argument, it would
    be sent as a task of its own. Of a failed header Celery tells the body's errback a ChordError;
    the error of the member is its cause.

    An exception raised in here is logged by Celery and swallowed, and it is not retried.
    """
    steps.record_error(run_id, str(error.__cause__ or error))
