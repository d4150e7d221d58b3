"""What the ledger, the database and the disk say about a run; no engine is asked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from comparisons.lab.fault import Ending
from shared import ledger
from shared.models import PrintedRoll, Summary
from shared.steps import GENERATE, SUM


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the ledger; times in UTC seconds."""

    step: str
    item: str
    attempt: int
    worker: str
    started_at: float
    finished_at: float


@dataclass(frozen=True)
class Found:
    """A run as it lies there.

    Attributes:
        intended: rolls that the run has meant to print.
        expected: rolls that it has to print, and their pages.
        lost: stations whose roll was never printed; also those nobody has meant to print yet.
        repeated: executions beyond the first, by station.
        overlapping: stations that two executions worked on at the same time.
        stray: files that are not the one of a station, or not what its row says.
        rows: rolls in the database.
        sums: how often the fan-in was executed.
        parts, total: what it was given and came to; None where there is no summary.
    """

    intended: int
    expected: tuple[int, int]
    lost: tuple[str, ...]
    repeated: dict[str, int]
    overlapping: tuple[str, ...]
    files: int
    rows: int
    stray: tuple[str, ...]
    sums: int
    parts: int | None
    total: int | None
    ledger: tuple[Row, ...]

    @property
    def lost_count(self) -> int:
        """Rolls that were never printed."""
        return self.expected[0] - self.rows_done

    @property
    def rows_done(self) -> int:
        """Stations with at least one effect."""
        return len({row.item for row in self.ledger if row.step == GENERATE})

    @property
    def sum_right(self) -> bool:
        """Whether the fan-in had all parts, and came to the right sum."""
        return (self.parts, self.total) == self.expected

    @property
    def executed_again(self) -> bool:
        """Whether a roll or the sum was executed more than once."""
        return bool(self.repeated) or self.sums > 1

    @property
    def whole(self) -> bool:
        """Whether everything is there, and nothing that should not be."""
        return not self.missed()

    @property
    def ending(self) -> Ending:
        """In one word."""
        if self.lost_count or self.total is None:
            return Ending.LOST
        if not self.whole:
            return Ending.WRONG
        return Ending.REPEATED if self.executed_again else Ending.WHOLE

    def missed(self) -> list[str]:
        """What is not as it should be."""
        wrong = []
        if self.lost_count:
            wrong.append(f"{self.lost_count} of {self.expected[0]} rolls lost")
        if self.stray or self.files + self.lost_count != self.expected[0]:
            wrong.append(f"{self.files} files for {self.expected[0]} stations, "
                         f"{len(self.stray)} of them wrong")  # fmt: skip
        if self.total is None:
            wrong.append("no sum")
        elif not self.sum_right:
            wrong.append(
                f"sum {self.total} of {self.parts} parts, not {self.expected[1]} "
                f"of {self.expected[0]}"
            )
        return wrong


def look(session: Session, run_id: str, folder: Path, expected: tuple[int, int]) -> Found:
    """Look at a run. `folder` is that of its rolls; `expected` the number of rolls, their pages."""
    rows = tuple(
        Row(e.step, e.item, e.attempt, e.worker, e.started_at, e.finished_at)
        for e in ledger.effects(session, run_id)
    )
    balance = ledger.balance(session, run_id)
    printed = session.scalars(select(PrintedRoll).where(PrintedRoll.run_id == run_id)).all()
    summary = session.get(Summary, run_id)
    states = {row.file_name: row.sha256 for row in printed}
    lying = sorted(folder.iterdir()) if folder.is_dir() else []
    return Found(
        intended=sum(step == GENERATE for step, _ in (*balance.executed, *balance.lost)),
        expected=expected,
        lost=tuple(sorted(item for step, item in balance.lost if step == GENERATE)),
        repeated={i: n for (step, i), n in sorted(balance.repeated.items()) if step == GENERATE},
        overlapping=_overlapping(rows),
        files=len(lying),
        rows=len(printed),
        stray=tuple(file.name for file in lying if states.get(file.name) != _digest(file)),
        sums=sum(row.step == SUM for row in rows),
        parts=None if summary is None else summary.parts,
        total=None if summary is None else summary.total_pages,
        ledger=rows,
    )


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "gone"  # renamed at this moment


def _overlapping(rows: Sequence[Row]) -> tuple[str, ...]:
    """Items of which one execution began before another had ended."""
    found: Counter[str] = Counter()
    until: dict[str, float] = {}
    for row in sorted((r for r in rows if r.step == GENERATE), key=lambda r: r.started_at):
        if row.started_at < until.get(row.item, 0.0):
            found[row.item] += 1
        until[row.item] = max(until.get(row.item, 0.0), row.finished_at)
    return tuple(sorted(found))
