"""What the database says a run still lacks: the engine-free half of the sweep.

A queue can lose a message, a worker can die with it, a start can be cut short. The database knows
what was meant, so a periodic sweep compares and re-queues; every engine does that in its own way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared import steps
from shared.database import transaction
from shared.metrics.sight import Waiting
from shared.models import Effect, Run, StationAssignment, Summary, VoterRegistration
from shared.settings import at_import
from shared.variants import BY_NAME, Answer

OLDER_THAN = at_import().sweep_every  # seconds
_DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Gap:
    """A run and what it lacks, to be made up in this order.

    `assignment`: some registered voters have no station; `steps.assign_all` mends that, and the
    rolls of their stations are missing too, though not named here. `rolls`: stations whose roll is
    not printed. `summary`: the fan-in has not run, or the sum is not that of the printed rolls (it
    was called with parts missing, or with one twice); its parts are `steps.printed_pages`.
    `publication`: the sum is there, but not public.
    """

    run_id: str
    variant: str
    assignment: bool
    rolls: tuple[str, ...]
    summary: bool
    publication: bool

    def __bool__(self) -> bool:
        """Whether anything is missing."""
        return self.assignment or bool(self.rolls) or self.summary or self.publication


def find_gaps(engine: str, older_than: float = OLDER_THAN) -> list[Gap]:
    """The runs of an engine that lack something and have stood still for `older_than` seconds.

    A run that has left an effect more recently is at work and is let alone, however long ago it
    was started. Runs without rolls (`assign_stations_in_parallel`, the bare workloads) and
    `error_in_header`, whose sum must not appear, lack nothing by definition.
    """
    still_since = time.time() - older_than
    with transaction(read_only=True) as session:
        candidates = [
            (run.run_id, run.variant)
            for run in session.scalars(
                select(Run)
                .where(Run.engine == engine, Run.started_at <= still_since)
                .order_by(Run.started_at, Run.run_id)
            )
            if _has_rolls(run.variant) and _last_effect(session, run.run_id) <= still_since
        ]
    gaps = (_gap(run_id, variant, engine) for run_id, variant in candidates)
    return [gap for gap in gaps if gap]


def unfinished(engine: str, older_than: float = OLDER_THAN) -> tuple[Waiting, int]:
    """The runs that lack something, for metrics; and how many of them nothing is at work on.

    Of the last day. A run with its fan-in counts as finished: whether the sum is right is looked
    at by the sweep.
    """
    now = time.time()
    with transaction(read_only=True) as session:
        runs = session.execute(
            select(Run.run_id, Run.variant, Run.started_at)
            .outerjoin(Summary, Summary.run_id == Run.run_id)
            .where(Run.engine == engine, Run.started_at > now - _DAY, Summary.run_id.is_(None))
        ).all()
        still = {
            run_id for run_id, _, started_at in runs
            if max(started_at, _last_effect(session, run_id)) <= now - older_than
        }  # fmt: skip
    lacking = {
        run_id: started_at
        for run_id, variant, started_at in runs
        if _has_rolls(variant) and _gap(run_id, variant, engine)
    }
    return (
        Waiting(len(lacking), min(lacking.values(), default=None)),
        len(still & lacking.keys()),
    )


def _has_rolls(variant: str) -> bool:
    known = BY_NAME.get(variant)
    return known is not None and known.answer in {Answer.TOTAL, Answer.ROLLS}


def _last_effect(session: Session, run_id: str) -> float:
    query = select(func.max(Effect.finished_at)).where(Effect.run_id == run_id)
    return session.scalar(query) or 0.0


def _gap(run_id: str, name: str, engine: str) -> Gap:
    variant = BY_NAME[name]
    # Where Celery forbids the fan-in, its absence is the lesson and no gap.
    forbidden = engine == "celery" and variant.celery_error is not None
    fans_in = variant.answer is Answer.TOTAL and not forbidden
    with transaction(read_only=True) as session:
        unassigned = ~(
            select(StationAssignment.voter_id)
            .where(
                StationAssignment.run_id == run_id,
                StationAssignment.voter_id == VoterRegistration.voter_id,
            )
            .exists()
        )
        assignment = session.scalar(select(VoterRegistration.voter_id).where(unassigned).limit(1))
        summary = session.get(Summary, run_id)
    rolls = tuple(steps.missing_rolls(run_id))
    return Gap(
        run_id=run_id,
        variant=name,
        assignment=assignment is not None,
        rolls=rolls,
        summary=fans_in
        and (summary is None or summary.total_pages != sum(steps.printed_pages(run_id))),
        publication=name == "chain" and (summary is None or not summary.published),
    )
