"""`chord_by_station`: the stations are assigned up front, then one task per station and a sum.

    group(generate_roll(run, station) for each station) | sum_pages(run)

The recommended shape: database work once and set-based, CPU work in even grains. A group must know
its members when it is built, and Celery cannot build one from a result without `replace()`: the
caller therefore assigns the stations before it builds the canvas. A caller that dies in between
leaves assigned stations and no messages; the sweep finds them.

The body is called with the list of the members' results, in the members' order. The members'
results wait in the result backend, which has to live until the last one is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import group
from celery.canvas import Signature

from celery_impl.tasks import generate_roll, sum_pages
from shared import steps

if TYPE_CHECKING:
    from celery.result import AsyncResult


def canvas(run_id: str) -> Signature[Any]:
    """A chord: `group | task`. Without a station its body is called at once, with []."""
    header = group(generate_roll.si(run_id, station) for station in steps.list_stations(run_id))
    return header | sum_pages.s(run_id=run_id)


def start(run_id: str) -> AsyncResult[int]:
    """Assign the stations here, in the caller's process, and queue the chord."""
    steps.assign_all(run_id)
    return canvas(run_id).apply_async()
