"""A roll book in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.assignment import STATION_SIZE
from shared.models import PollingCenter, VoterRegistration


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much there is, and how uneven: sizes in voters a center, 0 where there is no center."""

    voters: int
    centers: int
    centers_without_voters: int
    smallest_center: int
    largest_center: int
    stations: int


def statistics(session: Session) -> Statistics:
    """Count the roll book; `stations` is how many it will be cut into."""
    size = func.count(VoterRegistration.voter_id)
    sizes = (
        select(PollingCenter.center_id, size.label("size"))
        .outerjoin(VoterRegistration, VoterRegistration.center_id == PollingCenter.center_id)
        .group_by(PollingCenter.center_id)
        .subquery()
    ).c.size
    row = session.execute(
        select(
            func.coalesce(func.sum(sizes), 0),
            func.count(sizes),
            func.count().filter(sizes == 0),
            func.coalesce(func.min(sizes), 0),
            func.coalesce(func.max(sizes), 0),
            func.coalesce(func.sum((sizes + STATION_SIZE - 1) // STATION_SIZE), 0),
        )
    ).one()
    return Statistics(*(int(number) for number in row))
