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

from reportlab.graphics import renderSVG
from reportlab.graphics.charts.legends import LineLegend
from reportlab.graphics.charts.lineplots import LinePlot
from reportlab.graphics.shapes import Drawing, Rect, String
from reportlab.lib.colors import HexColor, white
from reportlab.lib.validators import Auto

from docs.tools.monitoring import filled

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks" / "kept"
PLOT = ROOT / "docs" / "images" / "scale_out.svg"
ENGINES = ("temporal", "prefect")
#: A colour for each engine; lighter for batches, darker for what was written by hand.
_COLORS = {
    "celery": "#37814a",
    "temporal": "#5f61d0",
    "temporal-batch": "#a9aaf2",
    "temporal-port": "#26276e",
    "prefect": "#e0a526",
    "prefect-batch": "#f2d999",
    "prefect-port": "#8a5f05",
}


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
    """A row for each side with a time for each number of workers, and the plot."""
    kept = _kept("scale_out", folder)
    if kept is None:
        return "No figures are kept: `python -m benchmarks.scale_out` measures them."
    seconds, first = _seconds(kept), kept["rows"][0]
    counts = sorted({count for times in seconds.values() for count in times})
    heads = [f"{counts[0]} workers, s" if counts[0] > 1 else "1 worker, s"]
    heads += [f"{count} workers, s | of linear" for count in counts[1:]]
    head = f"| {first['members']} tasks of {first['naps']:g} s on | {' | '.join(heads)} |"
    rows = [head, "|---|---|" + "---|---|" * len(counts[1:])]
    for side, times in seconds.items():
        cells = [spread(times[counts[0]])]
        cells += [f"{spread(times[count])} | {of_linear(times, count):.2f}" for count in counts[1:]]
        rows.append(f"| {_title(side)} | {' | '.join(cells)} |")
    plot = "![Speed-up by workers, on each engine](images/scale_out.svg)"
    return "\n".join([*rows, "", _measured(kept), "", plot])


def _title(side: str) -> str:
    engine, _, way = side.partition("-")
    return engine.capitalize() + {"": "", "port": ", by hand", "batch": ", in batches"}[way]


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
    counts = sorted({count for times in seconds.values() for count in times})
    chart = LinePlot()
    chart.x, chart.y, chart.width, chart.height = 50, 45, 290, 280
    chart.data = [
        [(count, count) for count in counts],
        *(
            [(count, count * of_linear(times, count)) for count in counts]
            for times in seconds.values()
        ),
    ]
    chart.lines[0].strokeColor, chart.lines[0].strokeDashArray = HexColor("#bbbbbb"), (4, 4)
    for number, side in enumerate(seconds, start=1):
        chart.lines[number].strokeColor = HexColor(_COLORS[side])
        chart.lines[number].strokeWidth = 2
    chart.xValueAxis.valueSteps = counts
    chart.xValueAxis.valueMin, chart.yValueAxis.valueMin = 0, 0
    chart.xValueAxis.valueMax, chart.yValueAxis.valueMax = counts[-1], counts[-1]
    legend = LineLegend()
    legend.x, legend.y, legend.alignment, legend.deltay = 350, 325, "right", 16
    legend.dx, legend.columnMaximum = 24, len(chart.data)
    for number, name in enumerate(["in proportion", *map(_title, seconds)]):
        chart.lines[number].name = name
    legend.colorNamePairs = Auto(obj=chart)
    drawing = Drawing(500, 370)
    drawing.add(Rect(0, 0, 500, 370, fillColor=white, strokeColor=None))
    drawing.add(chart)
    drawing.add(legend)
    drawing.add(String(50, 340, "times as fast as one worker"))
    drawing.add(String(195, 12, "workers", textAnchor="middle"))
    return str(renderSVG.drawToString(drawing))


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
