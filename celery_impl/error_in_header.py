"""`error_in_header`: a chord one of whose members fails.

    group(generate_roll(run, station) for each station) | sum_pages(run).on_error(record_error)

All siblings run to their end, the body does not run, and the error callback is called once: it
hangs on the body, which is stored as failed with `ChordError("Dependency <id> raised ...")`. The
caller's `get()` on the chord walks to the header and raises the member's own error. With
`task_allow_error_cb_on_chord_header` a callback of the chord would be called for the failing member
and for the body, twice in all. Celery announces that this will be its default; the callback here
is the body's own, and is called once under either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import group
from celery.canvas import Signature

from celery_impl.tasks import generate_roll, record_error, sum_pages
from shared import steps
from shared.variants import OBJECTION

if TYPE_CHECKING:
    from celery.result import AsyncResult


def canvas(run_id: str) -> Signature[Any]:
    """The chord of `chord_by_station`, with an error callback."""
    header = group(generate_roll.si(run_id, station) for station in steps.list_stations(run_id))
    return header | sum_pages.s(run_id=run_id).on_error(record_error.s(run_id))


def start(run_id: str) -> AsyncResult[int]:
    """Assign the stations, object to the first one's roll, and queue the chord."""
    steps.assign_all(run_id)
    for station_id in steps.list_stations(run_id)[:1]:
        steps.object_to(run_id, station_id, OBJECTION)
    return canvas(run_id).apply_async()
