"""Voters to stations, as one set-based statement.

The voters of a center, ordered by name and then by voter id, are cut into stations of at most
`STATION_SIZE`. Names compare by code point (see `shared.models`), so that SQLite, PostgreSQL and
Python agree on the order whatever the locale.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, cast, delete, func, literal, select
from sqlalchemy.orm import Session

from shared.models import PollingCenter, StationAssignment, Voter, VoterRegistration
from shared.upsert import insert_for

STATION_SIZE = 500


def assign_stations(session: Session, run_id: str, center_id: str | None = None) -> None:
    """Assign the voters of one center, or of all.

    Idempotent, and right again after registrations changed: rows that differ are updated, voters
    that are no longer registered there lose their station.
    """
    book = _numbered_voters(center_id)
    number = book.c.place // STATION_SIZE + 1
    station_id = book.c.center_id.concat("-").concat(cast(number, String))
    rows = select(
        literal(run_id),
        book.c.voter_id,
        book.c.center_id,
        station_id,
        number,
        book.c.place % STATION_SIZE + 1,
    ).where(literal(True))  # SQLite cannot parse SELECT ... ON CONFLICT without a WHERE
    columns = ["run_id", "voter_id", "center_id", "station_id", "station_number", "position"]
    statement = insert_for(session, StationAssignment).from_select(columns, rows)
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["run_id", "voter_id"],
            set_={name: new[name] for name in columns[2:]},
            where=(StationAssignment.station_id != new.station_id)
            | (StationAssignment.position != new.position),
        )
    )
    session.execute(_gone(run_id, center_id))


def _numbered_voters(center_id: str | None) -> Any:
    order = (Voter.voter_name, Voter.voter_id)
    numbered = select(
        VoterRegistration.voter_id,
        VoterRegistration.center_id,
        (
            func.row_number().over(partition_by=VoterRegistration.center_id, order_by=order) - 1
        ).label("place"),
    ).join(Voter, Voter.voter_id == VoterRegistration.voter_id)
    if center_id is not None:
        numbered = numbered.where(VoterRegistration.center_id == center_id)
    return numbered.subquery()


def _gone(run_id: str, center_id: str | None) -> Any:
    still = select(VoterRegistration.voter_id).where(
        VoterRegistration.voter_id == StationAssignment.voter_id,
        VoterRegistration.center_id == StationAssignment.center_id,
    )
    gone = delete(StationAssignment).where(StationAssignment.run_id == run_id, ~still.exists())
    return gone if center_id is None else gone.where(StationAssignment.center_id == center_id)


def centers(session: Session) -> list[str]:
    """The ids of all centers, in order; centers without voters are among them."""
    return list(session.scalars(select(PollingCenter.center_id).order_by(PollingCenter.center_id)))


def stations(session: Session, run_id: str, center_id: str | None = None) -> list[str]:
    """The ids of the stations that have been assigned, by center and number."""
    query = (
        select(
            StationAssignment.station_id,
            StationAssignment.center_id,
            StationAssignment.station_number,
        )
        .distinct()
        .where(StationAssignment.run_id == run_id)
        .order_by(StationAssignment.center_id, StationAssignment.station_number)
    )
    if center_id is not None:
        query = query.where(StationAssignment.center_id == center_id)
    return [row.station_id for row in session.execute(query)]
