"""Tables and the plot of docs/canvas.md about wide canvases, from kept results.

    python -m docs.tools.wide docs/canvas.md

writes the tables into the page, between their markers, and the plot into docs/images. What no
result is kept of is said to be unmeasured, with the command that measures it.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from docs.tools.monitoring import filled

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks" / "kept"
PLOT = ROOT / "docs" / "images" / "scale_out.svg"
ENGINES = ("temporal", "prefect")
#: What the sides of hand-written ports are called, behind the engine.
_PORT = "-port"
_COLORS = {"celery": "#37814a", "temporal": "#5f61d0", "prefect": "#e0a526"}


def _kept(name: str, folder: Path) -> Any:
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def spread(values: Sequence[float]) -> str:
    """Median, least and most: "1.24 (1.02 to 1.60)"."""
    if not values:
        return "not run"
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _measured(kept: Mapping[str, Any]) -> str:
    created, machine = datetime.fromisoformat(kept["created"]), kept["environment"]
    return (
        f"{created:%-d %B %Y}, {machine['cores']} cores ({machine['cpu']}), load "
        f"{kept['load']:.1f} at the end; medians, least and most."
    )


def fanout(folder: Path = KEPT) -> str:
    """A row for each kind of work on each engine."""
    rows, told = [], []
    for engine in ENGINES:
        kept = _kept(f"fanout_{engine}", folder)
        if kept is None:
            told.append(
                f"No figures are kept of {engine.capitalize()}: `python -m benchmarks.fanout "
                f"{engine}` measures them."
            )
            continue
        told.append(f"{engine.capitalize()}: {_measured(kept)}")
        for row in kept["rows"]:
            here, there = row["kit"], row["celery"]
            ratio = f"{statistics.median(here) / statistics.median(there):.2f}" if there else "-"
            growth = f"{max(row['growth']) / 1e6:.0f}"
            cells = (f"{engine.capitalize()}, {row['work']}", spread(there), spread(here))
            rows.append(f"| {' | '.join(cells)} | {ratio} | {growth} |")
    head = [
        "| work | Celery, s | rerouted, s | ratio | growth of the worker, MB |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*(head if rows else ()), *rows, *([""] if rows else ()), *told])


def scale(folder: Path = KEPT) -> str:
    """A row for each number of workers, and the plot."""
    kept = _kept("scale_out", folder)
    if kept is None:
        return "No figures are kept: `python -m benchmarks.scale_out` measures them."
    seconds = _seconds(kept)
    sides = [*seconds]
    counts = sorted({count for times in seconds.values() for count in times})
    rows = [
        f"| workers | {' | '.join(f'{_title(side)}, s | of linear' for side in sides)} |",
        "|---|" + "---|---|" * len(sides),
    ]
    for count in counts:
        cells = [
            f"{spread(seconds[side][count])} | {of_linear(seconds[side], count):.2f}"
            for side in sides
        ]
        rows.append(f"| {count} | {' | '.join(cells)} |")
    plot = "![Seconds by workers, on each engine](images/scale_out.svg)"
    return "\n".join([*rows, "", _measured(kept), "", plot])


def _title(side: str) -> str:
    name = side.removesuffix(_PORT).capitalize()
    return f"{name}, by hand" if side.endswith(_PORT) else name


def _seconds(kept: Mapping[str, Any]) -> dict[str, dict[int, list[float]]]:
    found: dict[str, dict[int, list[float]]] = {}
    for row in kept["rows"]:
        found.setdefault(row["on"], {})[row["workers"]] = row["seconds"]
    return found


def of_linear(times: Mapping[int, Sequence[float]], count: int) -> float:
    """1 if so many workers take the time of the fewest in proportion, less if they take longer."""
    first = min(times)
    ideal = statistics.median(times[first]) * first / count
    return ideal / statistics.median(times[count])


def plot(folder: Path = KEPT) -> str | None:
    """Speed-up by workers as SVG, with the line on which time falls in proportion."""
    kept = _kept("scale_out", folder)
    if kept is None:
        return None
    seconds = _seconds(kept)
    most = max(count for times in seconds.values() for count in times)
    side, edge = 320, 40

    def at(workers: float, speed: float) -> str:
        x, y = edge + workers / most * side, edge + side - speed / most * side
        return f"{x:.1f},{y:.1f}"

    whole = side + 2 * edge
    drawn = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole + 80} {whole}" '
            'font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{whole + 80}" height="{whole}" fill="white"/>',
        (
            f'<polyline points="{at(0, 0)} {at(most, most)}" stroke="#bbb" fill="none" '
            'stroke-dasharray="4"/>'
        ),
        f'<polyline points="{at(0, most)} {at(0, 0)} {at(most, 0)}" stroke="#333" fill="none"/>',
        f'<text x="{edge}" y="{edge - 14}">times as fast as one worker</text>',
        f'<text x="{edge + side // 2}" y="{whole - 6}">workers</text>',
    ]
    for count in sorted({count for times in seconds.values() for count in times}):
        x, _, y = at(count, 0).partition(",")
        drawn.append(f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle">{count}</text>')
    for place, (name, times) in enumerate(seconds.items()):
        points = [at(count, count * of_linear(times, count)) for count in sorted(times)]
        color = _COLORS[name.removesuffix(_PORT)]
        dashes = ' stroke-dasharray="6 3"' if name.endswith(_PORT) else ""
        drawn.append(
            f'<polyline points="{" ".join(points)}" stroke="{color}" fill="none" stroke-width="2"'
            f"{dashes}/>"
        )
        drawn.append(
            f'<text x="{edge + side + 10}" y="{edge + 16 * place}" fill="{color}">'
            f"{_title(name)}</text>"
        )
    return "\n".join([*drawn, "</svg>", ""])


def lone(folder: Path = KEPT) -> str:
    """A row for each way that Prefect has for tasks sent alone; the first kept one is Celery's."""
    kept = _kept("lone_prefect", folder)
    if kept is None:
        return "No figures are kept: `python -m benchmarks.lone_prefect` measures them."
    beside = statistics.median(kept["rows"][0]["seconds"])
    rows = [
        f"| {row['way']} | {spread(row['seconds'])} "
        f"| {statistics.median(row['seconds']) / beside:.1f} |"
        for row in kept["rows"]
    ]
    head = [f"| {kept['rows'][0]['count']} tasks | seconds | ratio |", "|---|---|---|"]
    return "\n".join([*head, *rows, "", _measured(kept)])


TABLES = {"wide": fanout, "scale": scale, "lone": lone}


def main(names: Sequence[str]) -> None:
    """Write pages and the plot."""
    for name in names:
        path = Path(name)
        path.write_text(filled(path.read_text(encoding="utf-8"), TABLES), encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    drawn = plot()
    if drawn is not None:
        PLOT.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
