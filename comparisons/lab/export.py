"""faults.json: everything that the lab has found out, in the form of faults_schema.json."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparisons.lab.cell import GOAL, Result
from comparisons.lab.fault import MEANING, Ending, Fault
from comparisons.lab.profiles import PROFILES
from comparisons.lab.results import Lab, Square
from comparisons.lab.verdict import Found

SCHEMA = Path(__file__).with_name("faults_schema.json")
FORMAT = "offcanvas-faults/1"
_TIMES = ("healed", "detected", "completed", "completed_after_heal", "attempts", "alerted")


def as_json(lab: Lab) -> dict[str, Any]:
    """The lab as plain data."""
    return {
        "format": FORMAT,
        "created": lab.created.isoformat(),
        "seconds": round(lab.seconds, 1),
        "others_cores": round(lab.others_cores, 2),
        "reached": lab.reached,
        "command": lab.plan.command,
        "repeat": lab.plan.repeat,
        "goal_seconds": GOAL,
        "environment": lab.environment,
        "versions": lab.versions,
        "intervals": lab.intervals,
        "endings": {str(ending): MEANING[ending] for ending in Ending},
        "profiles": [
            {"name": p.name, "title": p.title, "engine": p.engine, "goal": p.goal,
             "recovers": p.recovers}
            for p in (PROFILES[name] for name in lab.plan.profiles)
        ],
        "faults": [_fault(lab.square(f, lab.plan.profiles[0]).fault) for f in lab.plan.faults],
        "sentences": lab.sentences,
        "matrix": [_square(square) for square in lab.squares],
        "runs": [_run(r) for square in lab.squares for r in square.results],
    }  # fmt: skip


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "title": fault.title,
        "what": " ".join(inspect.cleandoc(type(fault).__doc__ or "").split()),
        "source": fault.source,
        "phases": list(fault.phases),
        "expects": {
            name: {"endings": sorted(expect.endings, key=list(Ending).index), "why": expect.why}
            for name, expect in fault.expects.items()
        },
        "meaningless": dict(fault.meaningless),
    }


def _square(square: Square) -> dict[str, Any]:
    return {
        "fault": square.fault.id,
        "profile": square.profile,
        "meaningless": square.meaningless,
        "runs": len(square.results),
        "endings": {str(ending): n for ending, n in square.endings.items()},
        "worst": square.worst,
        "missed": len(square.missed),
        "unexpected": len(square.unexpected),
        "alerts": dict(square.alerts) if square.watched else None,
        **{name: _spread(square, name) for name in _TIMES},
    }


def _spread(square: Square, name: str) -> dict[str, float] | None:
    spread = square.spread(name)
    if spread is None:
        return None
    return {key: round(value, 2) for key, value in asdict(spread).items()}


def _run(result: Result) -> dict[str, Any]:
    return {
        "fault": result.fault,
        "profile": result.profile,
        "repetition": result.repetition,
        "phase": result.phase,
        "ending": result.ending,
        "expected": result.expected,
        "missed": list(result.missed),
        "error": result.error,
        "shown": result.shown,
        "told": result.told,
        **{name: _rounded(getattr(result, name)) for name in _TIMES},
        "alerts": None
        if result.alerts is None
        else [[alert.name, round(alert.after, 2)] for alert in result.alerts],
        "seconds": _rounded(result.seconds),
        "found": None if result.found is None else _found(result.found),
        "timeline": [[round(m.at, 2), m.what, m.who] for m in result.timeline],
        "ledger": _ledger(result),
        "logs": {name: list(lines) for name, lines in result.logs.items()},
    }


def _found(found: Found) -> dict[str, Any]:
    return {
        "rolls": found.expected[0],
        "intended": found.intended,
        "done": found.rows_done,
        "lost": found.lost_count,
        "repeated": found.repeated,
        "overlapping": list(found.overlapping),
        "files": found.files,
        "rows": found.rows,
        "wrong_files": list(found.stray),
        "sums": found.sums,
        "parts": found.parts,
        "total": found.total,
        "expected_total": found.expected[1],
    }


def _ledger(result: Result) -> list[list[Any]]:
    if result.found is None:
        return []
    zero = result.fault_at or result.began_at
    return [
        [row.step, row.item, row.attempt, row.worker.partition(":")[2],
         round(row.started_at - zero, 2), round(row.finished_at - zero, 2)]
        for row in result.found.ledger
    ]  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def dumps(data: Mapping[str, Any]) -> str:
    """JSON with one line for each row of the matrix and each run."""
    members = []
    for name, value in data.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value:
            rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in value)
            text = f"[\n{rows}\n ]"
        members.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"
