"""`assign_stations_in_parallel`: one database task per center, nothing collected.

    group(assign_center(run, center) for each center)

Database work spread over tasks is still the same database's work, now with a message, a
transaction and a commit for each center, all waiting for the same locks. One set-based statement
(`shared.assignment`) does it faster. Nobody collects the results: the caller has handed the work
over once the messages are sent, and learns of a failure from the database or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import group

from celery_impl.app import app
from celery_impl.tasks import assign_center
from shared import steps

if TYPE_CHECKING:
    from celery.result import AsyncResult


def canvas(run_id: str) -> group:
    """A plain group; without a center it is empty, and sending it sends nothing."""
    return group([assign_center.si(run_id, center) for center in steps.list_centers()], app=app)


def start(run_id: str) -> AsyncResult[Any]:
    """Queue the group; returns a GroupResult."""
    return canvas(run_id).apply_async()
