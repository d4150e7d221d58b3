"""`parallel_with_join`: a task that starts a group and waits for it. Celery forbids it.

    assign_and_join(run):  assign_all;  group(generate_roll ...).apply_async().join()

A task that waits holds a process that its members may need: with enough of them waiting, nobody is
left to work. Celery therefore raises `RuntimeError: Never call result.get() within a task!` at
`join()`. By then the group has been sent, so the rolls are printed all the same; there is no sum,
and the caller gets the error. `allow_join_result()` would silence the check, not the deadlock. The
answer in Celery is a chord, see `chord_by_station`; in a flow or a workflow, which hold no worker
process while they wait, waiting is the right way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import group
from celery.canvas import Signature

from celery_impl.app import PROFILE, app
from celery_impl.tasks import attempt_of, generate_roll
from shared import steps

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult


@app.task(bind=True, **PROFILE.step)
def assign_and_join(self: Task[Any, Any], run_id: str) -> int:
    """Assign, start one task per station, and try to wait for them.

    Raises:
        RuntimeError: always, at `join()`.
    """
    attempt = attempt_of(self)
    steps.assign_all(run_id, attempt=attempt)
    members: Any = group(
        [generate_roll.si(run_id, station) for station in steps.list_stations(run_id)], app=app
    )
    pages = members.apply_async().join()
    return steps.sum_pages(run_id, pages, attempt=attempt)


def canvas(run_id: str) -> Signature[int]:
    """The parent task; its group is started by itself."""
    return assign_and_join.si(run_id)


def start(run_id: str) -> AsyncResult[int]:
    """Queue the parent."""
    return canvas(run_id).apply_async()
