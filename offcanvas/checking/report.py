"""What a comparison came to, for people and for programs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from offcanvas.checking.seen import Difference, Seen
from offcanvas.printable import printable

BASELINE = "celery"


class Word(StrEnum):
    """A verdict in one word."""

    SAME = "same"
    DIFFERS = "differs"
    UNSTABLE = "unstable"
    REFUSED = "refused"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an engine came to.

    ``differences`` are those from Celery; for UNSTABLE those between two runs on Celery itself,
    which leave nothing to compare with. ``reason`` is why an engine refused, or was not there.
    """

    engine: str
    word: Word
    differences: tuple[Difference, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts; ``deviations`` say where Celery does otherwise than it documents."""

    real: Seen
    verdicts: tuple[Verdict, ...]
    deviations: tuple[str, ...]

    def __str__(self) -> str:
        return as_text(self)

    @property
    def same(self) -> bool:
        """Whether all engines that are there did the same as Celery."""
        return all(verdict.word in {Word.SAME, Word.MISSING} for verdict in self.verdicts)


_UNSTABLE = "cannot tell: two runs on Celery itself differ"


_SCREEN = 24
"""Lines of a report that is not verbose: what a terminal shows at once."""
_VALUES = re.compile(r"\(.*\)|'[^']*'|\"[^\"]*\"|\d+(?:\.\d+)?")
"""What tells one task run from another in a difference: arguments, literals and numbers."""


def as_text(report: Report, *, verbose: bool = False) -> str:
    """A line for each engine, and one for each difference.

    A difference that repeats, but for the values in it, is said once with its count, and no more
    are shown than fit on a screen. `verbose`: every difference in full.
    """
    report = printable(report)
    width = max(len(name) for name in (BASELINE, *(one.engine for one in report.verdicts)))
    lines = [f"{BASELINE:{width}}  {_baseline(report.real)}"]
    differing = sum(bool(verdict.differences) for verdict in report.verdicts) or 1
    taken = 2 + len(report.verdicts) + len(report.deviations) + 3 + differing
    room = max((_SCREEN - taken) // differing, 1)
    for verdict in report.verdicts:
        lines.append(f"{verdict.engine:{width}}  {_headline(verdict)}")
        said = [str(one) for one in verdict.differences] if verbose else _counted(verdict)
        shown = said if verbose else said[:room]
        lines += [f"{'':{width}}    {one}" for one in shown]
        if len(said) > len(shown):
            rest = len(said) - len(shown)
            lines.append(f"{'':{width}}    and {rest} more; --verbose shows all")
    if any(verdict.word is Word.DIFFERS for verdict in report.verdicts) and report.deviations:
        lines += ["", "Celery does not do what it documents here; --strict-celery expects it all"]
        lines += ["the same:", *(f"  {deviation}" for deviation in report.deviations)]
    return "\n".join(lines)


def _counted(verdict: Verdict) -> list[str]:
    """The differences, those that are alike but for their values once, with their count."""
    alike: dict[str, list[str]] = {}
    for one in map(str, verdict.differences):
        alike.setdefault(_VALUES.sub("", one), []).append(one)
    return [
        same[0] if len(same) == 1 else f"{same[0]} ({len(same)} such differences)"
        for same in alike.values()
    ]


def as_json(target: str, report: Report) -> str:
    """The same as one JSON object."""
    return json.dumps(
        {
            "target": target,
            "same": report.same,
            BASELINE: _plain(report.real),
            "engines": {verdict.engine: _verdict(verdict) for verdict in report.verdicts},
            "deviations": list(report.deviations),
        },
        indent=2,
    )


def _baseline(real: Seen) -> str:
    ran = real.ran.total()
    called = real.called.total()
    parts = [" or ".join(sorted(real.answers)), f"{ran} task run{'' if ran == 1 else 's'}"]
    if called:
        parts.append(f"{called} error callback{'' if called == 1 else 's'}")
    return ", ".join(parts)


def _headline(verdict: Verdict) -> str:
    if verdict.word is Word.UNSTABLE:
        return _UNSTABLE
    return f"{verdict.word}: {verdict.reason}" if verdict.reason else str(verdict.word)


def _plain(seen: Seen) -> dict[str, Any]:
    return {
        "answers": sorted(seen.answers),
        "ran": dict(sorted(seen.ran.items())),
        "called": dict(sorted(seen.called.items())),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    told: dict[str, Any] = {"verdict": verdict.word}
    if verdict.reason:
        told["reason"] = verdict.reason
    told["differences"] = [{"what": one.what, "text": one.text} for one in verdict.differences]
    return told
