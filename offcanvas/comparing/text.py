"""What a comparison came to, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from offcanvas.comparing.result import Measured, Run, Spread
from offcanvas.printable import printable

_ROWS: tuple[tuple[str, Callable[[Run], float | None]], ...] = (
    ("makespan, s", lambda run: run.makespan),
    ("first result, s", lambda run: run.first),
    ("tasks at work, s", lambda run: run.busy),
    ("nothing at work, s", lambda run: None if run.makespan is None else run.makespan - run.busy),
    ("CPU of workers, s", lambda run: run.worker.cpu),
    ("CPU of servers, s", lambda run: run.server.cpu),
    ("memory of workers, MB", lambda run: run.worker.memory / 1e6 or None),
    ("memory of servers, MB", lambda run: run.server.memory / 1e6 or None),
)
"""What is shown of each run, in this order."""


def figures(measured: Measured, engine: str) -> list[tuple[str, Spread | None]]:
    """Figures of an engine over its runs."""
    runs = measured.of(engine)
    return [(name, Spread.of(of(run) for run in runs)) for name, of in _ROWS]


def as_text(measured: Measured) -> str:
    """A table, a column for each engine; the verdicts; and where figures come from."""
    measured = printable(measured)
    engines = measured.engines
    rows = [["", *engines]]
    columns = {engine: dict(figures(measured, engine)) for engine in engines}
    for name, _ in _ROWS:
        rows.append([name, *(_cell(columns[engine][name]) for engine in engines)])
    rows.append(["attempts at tasks", *(str(len(measured.of(e)[0].attempts)) for e in engines)])
    rows.append(["as on Celery", *(str(measured.verdict(engine)[0]) for engine in engines)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for engine in engines:
        for difference in measured.verdict(engine)[1][:_MOST]:
            lines.append(f"{engine}: {difference}")
    lines += [f"{engine}: {reason}" for engine, reason in measured.refused.items()]
    return "\n".join(lines) + "\n"


_MOST = 8
"""Differences of an engine that are shown; `check --verbose` shows all."""


def _cell(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if spread.least == spread.most:
        return _number(spread.median)
    return f"{_number(spread.median)} ({_number(spread.least)} to {_number(spread.most)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def as_json(measured: Measured) -> str:
    """Every run, for programs."""
    engines = {
        engine: {
            "verdict": measured.verdict(engine)[0],
            "differences": [str(one) for one in measured.verdict(engine)[1]],
            "runs": [_run(run) for run in measured.of(engine)],
        }
        for engine in measured.engines
    }
    raw = {"target": measured.target, "engines": engines, "refused": dict(measured.refused)}
    return json.dumps(raw, indent=2) + "\n"


def _run(run: Run) -> dict[str, Any]:
    return {
        "makespan": run.makespan,
        "first": run.first,
        "busy": run.busy,
        "worker": asdict(run.worker),
        "server": asdict(run.server),
        "attempts": [asdict(attempt) for attempt in run.attempts],
    }
