"""`starmap`: one message that holds all calls, executed one after the other.

    generate_roll.starmap([(run, station), ...]) | sum_pages(run)

What looks like a parallel map is `[generate_roll(*pair) for pair in pairs]` inside one task,
`celery.starmap`: one process works, the others are idle. It saves messages where the calls are
tiny, and they are not.

Inside it `generate_roll` is a plain function call. Its retries do not work there (a call is not a
message that could be sent again), one failing call fails the whole list, and the attempt is always
the first. The sweep makes up for what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.canvas import Signature

from celery_impl.app import PROFILE
from celery_impl.tasks import generate_roll, sum_pages
from shared import steps

if TYPE_CHECKING:
    from celery.result import AsyncResult

# The options of generate_roll are not those of celery.starmap: they go with the signature.
_OPTIONS = {
    name: value
    for name, value in PROFILE.long_step.items()
    if name in {"soft_time_limit", "time_limit", "expires"}
}


def canvas(run_id: str) -> Signature[Any]:
    """A chain of two: the loop returns the list of pages."""
    pairs = [(run_id, station) for station in steps.list_stations(run_id)]
    return generate_roll.starmap(pairs).set(**_OPTIONS) | sum_pages.s(run_id=run_id)


def start(run_id: str) -> AsyncResult[int]:
    """Assign the stations here, in the caller's process, and queue the chain."""
    steps.assign_all(run_id)
    return canvas(run_id).apply_async()
