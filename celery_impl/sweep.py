"""Recovery from the database: re-queue what it says is missing.

    group(generate_roll(run, station) for each missing station) | conclude(run)

A message can be lost (a broker without confirms or persistence), a worker can die with one whose
acknowledgement came early, a caller can die between its commit and its messages. The database knows
what was meant. Celery beat queues `sweep` as often as a run may stand still, once a minute at the
least, from a process of its own: with `-B` every worker would sweep.

What makes up for a chord whose counter is gone is the same: a result backend that was emptied holds
neither the number of parts that have ended nor the body that waits for them, and no error tells so.
The rows of the printed rolls are the parts; `conclude` adds them up.

A run of which a live worker has a task in hand is let alone. A roll that merely waits in a long
queue is queued twice; steps are idempotent, and a re-queued message expires after a while, so that
messages do not pile up behind workers that are busy.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import group
from celery.canvas import Signature

from celery_impl.app import PROFILE, app, connect
from celery_impl.health import runs_in_hand
from celery_impl.queueing import queue
from celery_impl.reach import reach
from celery_impl.tasks import attempt_of, generate_roll
from shared import steps
from shared.database import transaction
from shared.ledger import intend
from shared.recovery import Gap, find_gaps

if TYPE_CHECKING:
    from celery import Task

EVERY = 60.0  # seconds, at the least frequent; also the life of what a sweep queues


@app.task(bind=True, **PROFILE.step)
def conclude(self: Task[Any, Any], run_id: str, publish: bool) -> int:
    """The fan-in from the database instead of from results; returns the total."""
    attempt = attempt_of(self)
    total = steps.sum_pages(run_id, steps.printed_pages(run_id), attempt=attempt)
    if publish:
        steps.publish_summary(run_id, attempt=attempt)
    return total


@app.task(**PROFILE.step)
def sweep(older_than: float) -> list[str]:
    """Queue what is missing; returns the ids of the runs."""
    found = find_gaps("celery", older_than)
    if not found:
        return []
    in_hand = runs_in_hand(app)
    gaps = [gap for gap in found if gap.run_id not in in_hand]
    for gap in gaps:
        requeue(gap)
    return [gap.run_id for gap in gaps]


def requeue(gap: Gap) -> None:
    """Queue what the gap lacks, once what is meant is committed."""
    rolls: list[str] = list(gap.rolls)
    if gap.assignment:
        steps.assign_all(gap.run_id)
        rolls = steps.missing_rolls(gap.run_id)
    with transaction() as session:
        intend(session, gap.run_id, steps.GENERATE, rolls)
        queue(session, canvas(gap, rolls))


def canvas(gap: Gap, rolls: list[str]) -> Signature[Any]:
    """A chord where the run has a fan-in, otherwise a group."""
    missing = group(
        [generate_roll.si(gap.run_id, station).set(expires=EVERY) for station in rolls], app=app
    )
    if gap.summary or gap.publication:
        return missing | conclude.si(gap.run_id, gap.publication)
    return missing


def run_sweep(older_than: float, once: bool) -> list[str]:
    """Sweep now, in this process, or run beat in the foreground until SIGTERM."""
    reach(connect())
    if once:
        return sweep(older_than)
    every = min(max(older_than, 1.0), EVERY)
    app.conf.beat_schedule = {
        "sweep": {
            "task": sweep.name,
            "schedule": every,
            "args": (older_than,),
            # A sweep that nobody took in time is done by the next one.
            "options": {"expires": every},
        }
    }
    with tempfile.TemporaryDirectory(prefix="celery-beat-") as folder:
        app.Beat(schedule=str(Path(folder) / "schedule"), loglevel="WARNING", quiet=True).run()
    return []
