"""What every run must come to, worked out from the roll book without the code under comparison.

Stations and pages are counted here in plain Python from the voters' rows: not by the SQL statement
that assigns stations, and not by the printer that counts pages.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import ceil

from sqlalchemy import select

from shared.database import transaction
from shared.models import PollingCenter, StationAssignment, Voter, VoterRegistration
from shared.steps import ASSIGN, GENERATE, ON_ERROR, PUBLISH, SUM
from shared.variants import BY_NAME, OBJECTION, Answer

WHOLE = "*"
VOTERS_A_STATION = 500
ROWS_A_PAGE = 40

Executed = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Reference:
    """The truth about a roll book.

    Attributes:
        centers: all center ids, those without voters among them.
        voters_of: voter ids of each station in the order of its roll, by station id.
        rolls: SHA-256 of each station's PDF, by station id, from the run without any engine.
    """

    centers: tuple[str, ...]
    center_of: Mapping[str, str]
    voters_of: Mapping[str, tuple[str, ...]]
    rolls: Mapping[str, str]

    @cached_property
    def pages_of(self) -> dict[str, int]:
        """Pages of each station's roll, by station id."""
        return {s: ceil(len(voters) / ROWS_A_PAGE) for s, voters in self.voters_of.items()}

    @property
    def stations(self) -> tuple[str, ...]:
        """All station ids, by center and number."""
        return tuple(self.voters_of)

    @property
    def voters(self) -> int:
        """Number of voters."""
        return sum(len(voters) for voters in self.voters_of.values())

    @cached_property
    def total_pages(self) -> int:
        """The sum that the fan-in must come to."""
        return sum(self.pages_of.values())

    @cached_property
    def assignments(self) -> str:
        """Checksum of who votes where, see `assignments_checksum`."""
        return assignments_checksum(
            (voter, self.center_of[station], station, position)
            for station, voters in self.voters_of.items()
            for position, voter in enumerate(voters, start=1)
        )

    @property
    def objected(self) -> str | None:
        """The station whose roll `error_in_header` forbids; None where there is no station."""
        return next(iter(self.voters_of), None)

    def objection_text(self) -> str:
        """The error that the caller of `error_in_header` gets."""
        return f"station {self.objected}: {OBJECTION}"

    def rolls_for(self, variant: str) -> dict[str, str]:
        """SHA-256 of the rolls that the variant must print, by station id."""
        answer = BY_NAME[variant].answer
        if answer is Answer.STATIONS:
            return {}
        barred = self.objected if answer is Answer.ERROR else None
        return {s: digest for s, digest in self.rolls.items() if s != barred}

    def executed_for(self, variant: str, engine: str) -> Executed:
        """The steps that the ledger must hold, with how often."""
        per_center = {"all_in_one", "chord_by_center", "assign_stations_in_parallel"}
        expected: Executed = Counter()
        for center in self.centers if variant in per_center else (WHOLE,):
            expected[ASSIGN, center] += 1
        for station in self.rolls_for(variant):
            expected[GENERATE, station] += 1
        known = BY_NAME[variant]
        forbidden = known.celery_error is not None and engine == "celery"
        if known.answer is Answer.ERROR and self.objected is not None:
            digest = hashlib.sha256(self.objection_text().encode()).hexdigest()[:16]
            expected[ON_ERROR, digest] += 1
        elif known.answer in {Answer.TOTAL, Answer.ERROR} and not forbidden:
            expected[SUM, WHOLE] += 1
        if variant == "chain":
            expected[PUBLISH, WHOLE] += 1
        return expected


def read_reference(rolls: Mapping[str, str]) -> Reference:
    """Work out the truth from the roll book in the database."""
    with transaction(read_only=True) as session:
        centers = list(session.scalars(select(PollingCenter.center_id)))
        rows = session.execute(
            select(VoterRegistration.center_id, Voter.voter_name, Voter.voter_id).join(
                Voter, Voter.voter_id == VoterRegistration.voter_id
            )
        ).all()
    voters_of: dict[str, tuple[str, ...]] = {}
    center_of: dict[str, str] = {}
    book = sorted((center, name, voter) for center, name, voter in rows)
    for center, members in groupby(book, key=lambda row: row[0]):
        ids = [voter for _, _, voter in members]
        for number, first in enumerate(range(0, len(ids), VOTERS_A_STATION), start=1):
            station = f"{center}-{number}"
            voters_of[station] = tuple(ids[first : first + VOTERS_A_STATION])
            center_of[station] = center
    return Reference(tuple(sorted(centers)), center_of, voters_of, rolls)


def assignments_in_database(run_id: str) -> str:
    """Checksum of a run's rows of who votes where."""
    table = StationAssignment
    query = select(table.voter_id, table.center_id, table.station_id, table.position).where(
        table.run_id == run_id
    )
    with transaction(read_only=True) as session:
        return assignments_checksum((v, c, s, p) for v, c, s, p in session.execute(query))


def assignments_checksum(rows: Iterable[tuple[str, str, str, int]]) -> str:
    """SHA-256 over (voter, center, station, position), in the order of the voter ids."""
    return lines_checksum("\t".join(map(str, row)) for row in sorted(rows))


def rolls_checksum(rolls: Mapping[str, str]) -> str:
    """SHA-256 over the stations and the SHA-256 of their rolls, in the order of the ids."""
    return lines_checksum(f"{station}\t{rolls[station]}" for station in sorted(rolls))


def executed_checksum(executed: Executed) -> str:
    """SHA-256 over the executed steps and how often, in order."""
    return lines_checksum(f"{s}\t{i}\t{n}" for (s, i), n in sorted(executed.items()))


def lines_checksum(lines: Iterable[str]) -> str:
    """SHA-256 of the lines in UTF-8, each with a line feed at its end."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
