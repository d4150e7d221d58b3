"""Verdicts for people, and for programs."""

from __future__ import annotations

import json
from typing import Any

from offcanvas.check.compare import BASELINE, Report, Verdict, Word
from offcanvas.check.seen import Seen

_UNSTABLE = "cannot tell: two runs on Celery itself differ"


def as_text(report: Report) -> str:
    """A line for each engine, and one for each difference."""
    width = max(len(name) for name in (BASELINE, *(one.engine for one in report.verdicts)))
    lines = [f"{BASELINE:{width}}  {_baseline(report.real)}"]
    for verdict in report.verdicts:
        lines.append(f"{verdict.engine:{width}}  {_headline(verdict)}")
        lines += [f"{'':{width}}    {one}" for one in verdict.differences]
    if any(verdict.word is Word.DIFFERS for verdict in report.verdicts) and report.deviations:
        lines += ["", "Celery does not do what it documents here; --strict-celery expects it all"]
        lines += ["the same:", *(f"  {deviation}" for deviation in report.deviations)]
    return "\n".join(lines)


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
