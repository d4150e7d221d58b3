"""`group`: one task per station, fire and forget.

    group(generate_roll(run, station) for each station)

The stations are assigned up front, as in `chord_by_station`, but there is no fan-in: the caller is
done once the messages are sent. What became of them is a question to the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import group

from celery_impl.app import app
from celery_impl.tasks import generate_roll
from shared import steps

if TYPE_CHECKING:
    from celery.result import AsyncResult


def canvas(run_id: str) -> group:
    """A plain group."""
    stations = steps.list_stations(run_id)
    return group([generate_roll.si(run_id, station) for station in stations], app=app)


def start(run_id: str) -> AsyncResult[Any]:
    """Assign the stations here, in the caller's process, and queue: a GroupResult."""
    steps.assign_all(run_id)
    return canvas(run_id).apply_async()
