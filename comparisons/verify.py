"""Check a run before its time is shown: did it do what was asked, all of it, once?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from comparisons.reference import (
    Reference,
    assignments_in_database,
    executed_checksum,
    rolls_checksum,
)
from shared import ledger
from shared.contract import Outcome
from shared.database import transaction
from shared.models import PrintedRoll, Summary
from shared.steps import rolls_folder
from shared.variants import BY_NAME, Answer
from shared.workloads import parse


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what it had to be and what it was."""

    name: str
    expected: str
    found: str

    @property
    def agrees(self) -> bool:
        """Whether it was what it had to be."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of a run."""

    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether all of them agree. A verdict without checks agrees with nothing."""
        return bool(self.checks) and all(check.agrees for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that do not agree."""
        return tuple(check for check in self.checks if not check.agrees)


def failed(reason: str) -> Verdict:
    """The verdict on a run that did not come to an end."""
    return Verdict((Check("end of the run", "an answer", reason),))


def verify_variant(
    variant: str, engine: str, run_id: str, outcome: Outcome, truth: Reference
) -> Verdict:
    """Check a variant's answer, rows, files and ledger against the truth."""
    rolls = truth.rolls_for(variant)
    pages = sum(truth.pages_of[station] for station in rolls)
    found = _printed(run_id)
    checks = [
        Check("answer", _expected_answer(variant, engine, truth), _answer(variant, outcome)),
        Check("pages printed", str(pages), str(sum(found.pages.values()))),
        Check("files", _count(rolls), _count(found.files)),
        Check("rolls", rolls_checksum(rolls), rolls_checksum(found.files)),
        Check("rolls in the database", rolls_checksum(rolls), rolls_checksum(found.rows)),
        Check("assignments", truth.assignments, assignments_in_database(run_id)),
    ]
    expected = truth.executed_for(variant, engine)
    with transaction(read_only=True) as session:
        executed = ledger.balance(session, run_id).executed
        summary = session.get(Summary, run_id)
    checks.append(Check("ledger", executed_checksum(expected), executed_checksum(executed)))
    if any(step == "sum" for step, _ in expected):
        stated = "no summary" if summary is None else str(summary.total_pages)
        checks.append(Check("fan-in in the database", str(truth.total_pages), stated))
    if variant == "chain":
        published = "published" if summary is not None and summary.published else "not published"
        checks.append(Check("summary", "published", published))
    return Verdict(tuple(checks))


def verify_workload(workload: str, outcome: Outcome, executed: int) -> Verdict:
    """Check that the answer counts n steps and that the engine's records hold every one."""
    known = parse(workload)
    if known is None:
        raise ValueError(f"{workload} is not a workload")
    _, n = known
    return Verdict(
        (
            Check("answer", f"total {n}", _describe(outcome)),
            Check("executed steps", f"at least {n}", _at_least(n, executed)),
        )
    )


def _at_least(n: int, executed: int) -> str:
    return f"at least {n}" if executed >= n else str(executed)


def _expected_answer(variant: str, engine: str, truth: Reference) -> str:
    known = BY_NAME[variant]
    if known.celery_error is not None and engine == "celery":
        return f"RuntimeError: {known.celery_error}"
    if known.answer is Answer.ERROR and truth.objected is not None:
        return f"RollUnderObjection: {truth.objection_text()}"
    if known.answer in {Answer.TOTAL, Answer.ERROR}:
        return f"total {truth.total_pages}"
    return "nothing"


def _answer(variant: str, outcome: Outcome) -> str:
    forbidden = BY_NAME[variant].celery_error
    if forbidden is not None and (outcome.error_text or "").startswith(forbidden):
        # Celery's text goes on with the address of its documentation.
        return f"{outcome.error_type}: {forbidden}"
    return _describe(outcome)


def _describe(outcome: Outcome) -> str:
    if outcome.error_type is not None or outcome.error_text is not None:
        return f"{outcome.error_type}: {outcome.error_text}"
    return "nothing" if outcome.total_pages is None else f"total {outcome.total_pages}"


def _count(things: Mapping[str, object]) -> str:
    return f"{len(things)} files"


@dataclass(frozen=True, slots=True)
class _Printed:
    """A run's rolls: SHA-256 of the files as they lie on disk, and as the rows state them."""

    files: dict[str, str]
    rows: dict[str, str]
    pages: dict[str, int]


def _printed(run_id: str) -> _Printed:
    with transaction(read_only=True) as session:
        rows = session.scalars(select(PrintedRoll).where(PrintedRoll.run_id == run_id)).all()
    station_of = {row.file_name: row.station_id for row in rows}
    folder = rolls_folder(run_id)
    lying = sorted(folder.iterdir()) if folder.is_dir() else []
    return _Printed(
        # A file that no row speaks of keeps its own name here, and so spoils the checksum.
        files={
            station_of.get(file.name, file.name): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in lying
        },
        rows={row.station_id: row.sha256 for row in rows},
        pages={row.station_id: row.pages for row in rows},
    )
