"""Runs of a canvas and what they come to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offcanvas.checking.report import BASELINE, Word
from offcanvas.checking.seen import Difference, Seen


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a task: seconds since the canvas was sent, and the process that ran it.

    ended is None if it never ended.
    """

    name: str
    began: float
    ended: float | None
    process: int


@dataclass(frozen=True, slots=True)
class Used:
    """What processes used in a run: CPU seconds, and the highest memory in bytes."""

    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run. sent: when it was sent, in the machine's time."""

    engine: str
    number: int
    attempts: tuple[Attempt, ...]
    worker: Used
    server: Used
    seen: Seen

    @property
    def makespan(self) -> float | None:
        """Seconds from the call to the end of the last task; None if no task has ended."""
        return max((a.ended for a in self.attempts if a.ended is not None), default=None)

    @property
    def first(self) -> float | None:
        """Seconds from the call to the end of the first task."""
        return min((a.ended for a in self.attempts if a.ended is not None), default=None)

    @property
    def busy(self) -> float:
        """Seconds in which at least one task ran."""
        total, until = 0.0, 0.0
        for attempt in sorted(self.attempts, key=lambda a: a.began):
            ended = attempt.began if attempt.ended is None else attempt.ended
            total += max(0.0, ended - max(attempt.began, until))
            until = max(until, ended)
        return total


def attempts_of(entries: Iterable[Mapping[str, Any]], sent: float) -> tuple[Attempt, ...]:
    """Attempts as the ledger has them, in the order in which they began."""
    found: list[Attempt] = []
    running: dict[tuple[str, int], int] = {}
    for entry in entries:
        at = entry["at"] - sent
        key = (str(entry.get("id")), entry["process"])
        if entry["event"] == "began":
            running[key] = len(found)
            found.append(Attempt(entry["name"], at, None, entry["process"]))
        elif entry["event"] == "ended" and key in running:
            begun = found[running[key]]
            found[running.pop(key)] = Attempt(begun.name, begun.began, at, begun.process)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of a figure over the runs of an engine."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """None if there is no value at all."""
        known = [value for value in values if value is not None]
        return cls(statistics.median(known), min(known), max(known)) if known else None


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs, in the order in which they were made; refused: engine -> why it ran nothing."""

    target: str
    runs: tuple[Run, ...]
    refused: Mapping[str, str]

    @property
    def engines(self) -> list[str]:
        """Those that ran, Celery first."""
        return [*dict.fromkeys(run.engine for run in self.runs)]

    def of(self, engine: str) -> Sequence[Run]:
        """The runs of an engine."""
        return [run for run in self.runs if run.engine == engine]

    def verdict(self, engine: str) -> tuple[Word, tuple[Difference, ...]]:
        """Whether an engine did what Celery did, in all of its runs."""
        first, *others = self.of(BASELINE)
        if any(
            again.seen.without_moments().differences(first.seen.without_moments())
            for again in others
        ):
            return Word.UNSTABLE, ()
        for run in self.of(engine):
            found = run.seen.differences(first.seen)
            if found:
                found = run.seen.without_moments().differences(first.seen.without_moments())
            if found:
                return Word.DIFFERS, tuple(found)
        return Word.SAME, ()

    @property
    def same(self) -> bool:
        """Whether all engines that ran did what Celery did."""
        return all(self.verdict(engine)[0] is Word.SAME for engine in self.engines)
