"""The steps of the workflow, as every engine calls them.

A step takes references (a run id, a center id, a station id), never rows; does its database work
in one transaction; leaves one effect in the ledger in that transaction; and can be repeated: a
second execution leads to the same rows and the same files.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared import assignment
from shared.database import transaction
from shared.errors import RollUnderObjection, UnknownStation, UsageError
from shared.ledger import WHOLE_RUN, StepClock, intend
from shared.models import (
    Objection,
    PollingCenter,
    PrintedRoll,
    Run,
    StationAssignment,
    Summary,
    Voter,
)
from shared.rolls import Roll, RollEntry, write_roll
from shared.settings import settings
from shared.upsert import insert_missing, upsert

ASSIGN, GENERATE, SUM, PUBLISH, ON_ERROR = "assign", "generate", "sum", "publish", "on_error"

_LONGEST_NAME = 200  # characters of a roll's file name, without `.pdf`
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def begin_run(run_id: str, variant: str, engine: str) -> None:
    """Enter the run; entering it again changes nothing.

    Raises:
        UsageError: the run id is not a plain word, or belongs to a run of another kind.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"run id {run_id!r}: use 1 to 64 letters, digits, '.', '_' or '-', "
            "starting with a letter or digit"
        )
    row = {"run_id": run_id, "variant": variant, "engine": engine, "started_at": time.time()}
    with transaction() as session:
        insert_missing(session, Run, [row])
        run = session.get_one(Run, run_id)
        if (run.variant, run.engine) != (variant, engine):
            raise UsageError(
                f"run id {run_id!r} is taken by {run.variant} on {run.engine}: choose another"
            )


def list_centers() -> list[str]:
    """The ids of all centers, in order."""
    with transaction(read_only=True) as session:
        return assignment.centers(session)


def list_stations(run_id: str, center_id: str | None = None) -> list[str]:
    """The ids of the stations assigned in this run (of one center, or all), in order."""
    with transaction(read_only=True) as session:
        return assignment.stations(session, run_id, center_id)


def assign_all(run_id: str, *, attempt: int = 1) -> int:
    """Assign every voter to a station; returns the number of stations."""
    return _assign(run_id, None, attempt)


def assign_center(run_id: str, center_id: str, *, attempt: int = 1) -> int:
    """Assign the voters of one center; returns the number of its stations (0 if it is empty)."""
    return _assign(run_id, center_id, attempt)


def _assign(run_id: str, center_id: str | None, attempt: int) -> int:
    clock = StepClock.start(run_id, ASSIGN, center_id or WHOLE_RUN, attempt)
    with transaction() as session:
        assignment.assign_stations(session, run_id, center_id)
        assigned = assignment.stations(session, run_id, center_id)
        intend(session, run_id, GENERATE, assigned)
        clock.leave_effect(session)
    return len(assigned)


def generate_roll(run_id: str, station_id: str, *, attempt: int = 1) -> int:
    """Print the roll of one station; returns its pages.

    The file appears whole, by rename, before the row that speaks of it: a crash in between leaves
    a file that the next attempt writes again, byte for byte.

    Raises:
        RollUnderObjection: the roll must not be printed.
        UnknownStation: nobody is assigned to that station.
        shared.rolls.MissingGlyph: no font has a character of a name.
    """
    clock = StepClock.start(run_id, GENERATE, station_id, attempt)
    with transaction(read_only=True) as session:
        roll = _read_roll(session, run_id, station_id)
    name = roll_file_name(station_id)
    written = write_roll(roll, rolls_folder(run_id) / name, fonts=settings().font_files)
    with transaction() as session:
        upsert(
            session,
            PrintedRoll,
            {
                "run_id": run_id,
                "station_id": station_id,
                "file_name": name,
                "pages": written.pages,
                "sha256": written.sha256,
            },
        )
        clock.leave_effect(session)
    return written.pages


def _read_roll(session: Session, run_id: str, station_id: str) -> Roll:
    objection = session.get(Objection, (run_id, station_id))
    if objection is not None:
        raise RollUnderObjection(f"station {station_id}: {objection.reason}")
    query = (
        select(Voter.voter_id, Voter.voter_name, StationAssignment.center_id)
        .join(Voter, Voter.voter_id == StationAssignment.voter_id)
        .where(StationAssignment.run_id == run_id, StationAssignment.station_id == station_id)
        .order_by(StationAssignment.position)
    )
    rows = session.execute(query).all()
    if not rows:
        raise UnknownStation(f"run {run_id} has no station {station_id}")
    center = session.get_one(PollingCenter, rows[0].center_id)
    return Roll(
        center_id=center.center_id,
        center_name=center.center_name,
        station_id=station_id,
        entries=[RollEntry(row.voter_id, row.voter_name) for row in rows],
    )


def rolls_folder(run_id: str) -> Path:
    """The folder of a run's rolls."""
    return settings().rolls_dir / run_id


def roll_file_name(station_id: str) -> str:
    """A file name for a station, whatever characters its center's id is made of.

    File systems take 255 bytes, and a letter can become twelve: a longer name ends with a digest
    in place of its tail.
    """
    name = quote(station_id, safe="")
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(station_id.encode()).hexdigest()[:32]
        name = f"{name[: _LONGEST_NAME - 33]}~{digest}"
    return name + ".pdf"


def sum_pages(run_id: str, pages: Sequence[int], *, attempt: int = 1) -> int:
    """The fan-in: add up the pages and keep the sum; returns it."""
    clock = StepClock.start(run_id, SUM, WHOLE_RUN, attempt)
    total = sum(pages)
    with transaction() as session:
        upsert(
            session,
            Summary,
            {"run_id": run_id, "parts": len(pages), "total_pages": total},
        )
        clock.leave_effect(session)
    return total


def publish_summary(run_id: str, *, attempt: int = 1) -> int:
    """Make the run's sum public; returns it. The last step of the `chain` variant."""
    clock = StepClock.start(run_id, PUBLISH, WHOLE_RUN, attempt)
    with transaction() as session:
        session.execute(update(Summary).where(Summary.run_id == run_id).values(published=True))
        total: int = session.get_one(Summary, run_id).total_pages
        clock.leave_effect(session)
    return total


def object_to(run_id: str, station_id: str, reason: str) -> None:
    """Forbid the roll of a station: `generate_roll` raises `RollUnderObjection` from now on."""
    with transaction() as session:
        upsert(
            session,
            Objection,
            {"run_id": run_id, "station_id": station_id, "reason": reason},
        )


def record_error(run_id: str, error: str, *, attempt: int = 1) -> None:
    """The error callback: note in the ledger that it was called, and with which error."""
    item = hashlib.sha256(error.encode()).hexdigest()[:16]
    clock = StepClock.start(run_id, ON_ERROR, item, attempt)
    with transaction() as session:
        clock.leave_effect(session)


def missing_rolls(run_id: str) -> list[str]:
    """Stations of the run that have no roll, by the database and by the disk; the sweep's list.

    Stations under objection are not missing: nobody will print them.
    """
    with transaction(read_only=True) as session:
        assigned = assignment.stations(session, run_id)
        printed = select(PrintedRoll.station_id, PrintedRoll.file_name).where(
            PrintedRoll.run_id == run_id
        )
        files = {row.station_id: row.file_name for row in session.execute(printed)}
        barred = set(
            session.scalars(select(Objection.station_id).where(Objection.run_id == run_id))
        )
    folder = rolls_folder(run_id)
    return [
        station_id
        for station_id in assigned
        if station_id not in barred
        and not (station_id in files and (folder / files[station_id]).is_file())
    ]


def printed_pages(run_id: str) -> list[int]:
    """The pages of the rolls that are printed, by station id: the fan-in's parts, from the rows."""
    query = (
        select(PrintedRoll.pages)
        .where(PrintedRoll.run_id == run_id)
        .order_by(PrintedRoll.station_id)
    )
    with transaction(read_only=True) as session:
        return list(session.scalars(query))
