"""A comparison as one HTML file: the table, and for each engine what ran when."""

from __future__ import annotations

from html import escape

from offcanvas.comparing.result import Attempt, Measured, Run
from offcanvas.comparing.text import as_text
from offcanvas.printable import printable

_WIDTH, _ROW, _MOST = 900, 14, 2_000
"""Pixels of a timeline and of a row of it; attempts that are drawn."""
_LEGEND = (
    "The first run on each engine, to one scale: a bar is an attempt at a task, a row the process "
    "that ran it. Seconds since the canvas was sent."
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; } svg { width: 100%; height: auto; } rect.task { fill: #5f61d0; }
rect.task:hover { fill: #e0a526; } text { font-size: 11px; fill: currentColor; }
line { stroke: currentColor; stroke-opacity: .25; }
"""


def as_html(measured: Measured) -> str:
    """The page; it needs nothing from elsewhere."""
    measured = printable(measured)
    longest = max((run.makespan or 0.0 for run in measured.runs), default=0.0)
    parts = [
        "<!doctype html>",
        '<html lang="en"><meta charset="utf-8">',
        f"<title>{escape(measured.target)} on {escape(', '.join(measured.engines))}</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>{escape(measured.target)}</h1>",
        f"<pre>{escape(as_text(measured))}</pre>",
        "<h2>What ran when</h2>",
        f"<p>{_LEGEND}</p>",
    ]
    for engine in measured.engines:
        run = measured.of(engine)[0]
        parts += [f"<h3>{escape(engine)}</h3>", _timeline(run, longest or 1.0)]
    return "\n".join([*parts, "</html>", ""])


def _timeline(run: Run, longest: float) -> str:
    rows = {process: row for row, process in enumerate(dict.fromkeys(_processes(run)))}
    height = _ROW * (len(rows) + 2)
    label = f"{len(run.attempts)} attempts in {len(rows)} processes"
    drawn = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">']
    for tick in range(6):
        x = tick * (_WIDTH - 40) / 5
        drawn.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - _ROW}"/>')
        drawn.append(f'<text x="{x:.1f}" y="{height - 3}">{longest * tick / 5:.2f}</text>')
    for attempt in run.attempts[:_MOST]:
        drawn.append(_bar(attempt, rows[attempt.process], longest))
    return "\n".join([*drawn, "</svg>"])


def _processes(run: Run) -> list[int]:
    return [attempt.process for attempt in run.attempts]


def _bar(attempt: Attempt, row: int, longest: float) -> str:
    ended = longest if attempt.ended is None else attempt.ended
    scale = (_WIDTH - 40) / longest
    width = max((ended - attempt.began) * scale, 1.0)
    until = "never ended" if attempt.ended is None else f"{attempt.ended:.3f} s"
    told = f"{attempt.name}: {attempt.began:.3f} to {until}"
    return (
        f'<rect class="task" x="{attempt.began * scale:.1f}" y="{row * _ROW + 2}" '
        f'width="{width:.1f}" height="{_ROW - 4}"><title>{escape(told)}</title></rect>'
    )
