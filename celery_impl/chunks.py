"""`chunks`: the middle way between one message for all and one message per station.

    generate_roll.chunks([(run, station), ...], 5).group() | sum_chunks(run)

Each chunk is a `starmap`, so a loop in one task, and the chunks run in parallel: fewer messages
than `chord_by_station`, and a process that has the last chunk works on while the others are done.
As in `starmap`, one failing station fails its chunk and is not retried.

`.group()` has to be said: `chunks` as a member of a chain becomes the task `celery.chunks`, which
starts the group and returns its GroupResult instead of the values. The results come as one list per
chunk, so that the fan-in flattens them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from celery.canvas import Signature

from celery_impl.app import PROFILE, app
from celery_impl.tasks import attempt_of, generate_roll
from shared import steps

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult

CHUNK = 5  # stations


@app.task(bind=True, **PROFILE.step)
def sum_chunks(self: Task[Any, Any], chunks: Sequence[Sequence[int]], *, run_id: str) -> int:
    """The fan-in over the stations of all chunks."""
    return steps.sum_pages(run_id, list(chain.from_iterable(chunks)), attempt=attempt_of(self))


def canvas(run_id: str) -> Signature[Any]:
    """A chord whose header has one task per chunk."""
    pairs = [(run_id, station) for station in steps.list_stations(run_id)]
    return generate_roll.chunks(pairs, CHUNK).group() | sum_chunks.s(run_id=run_id)


def start(run_id: str) -> AsyncResult[int]:
    """Assign the stations here, in the caller's process, and queue the chord."""
    steps.assign_all(run_id)
    return canvas(run_id).apply_async()
