"""The charts, as plotly figures without colours of their own.

Text, grid and background follow the reader's colour scheme: page.js sets them from the style
sheet. The colours of engines and parts are chosen to be told apart on both backgrounds and by
people who do not see red and green.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from comparisons.engines import ENGINES, NAMES
from comparisons.results import Comparison, Run, Spread
from comparisons.words import growth, seconds

PART_COLOURS = {"execution": "#5f61d0", "assignment": "#e0a526", "transition": "#8f9aa8"}
# What is written on them, at a contrast of 4.5 or more.
ON_PARTS = {"execution": "#ffffff", "assignment": "#14171c", "transition": "#14171c"}
MOST_TASKS = 2_000  # in a timeline; more are neither readable nor quick to draw
ROW = 22  # pixels of a timeline's row


def figure(*traces: Any, height: int, **layout: Any) -> dict[str, Any]:
    """A figure as plain data."""
    made = go.Figure(traces)
    made.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 12, "t": 30, "b": 44},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        hoverlabel={"align": "left"},
        dragmode=False,
        **layout,
    )
    plain: dict[str, Any] = made.to_plotly_json()
    return plain


def makespans(comparison: Comparison) -> dict[str, Any]:
    """Bars of the medians, from min to max, by variant."""
    variants = list(reversed(comparison.plan.variants))
    traces = []
    for engine in reversed(comparison.plan.engines):
        spreads = [comparison.makespan(variant, engine) for variant in variants]
        traces.append(
            go.Bar(
                name=NAMES[engine],
                orientation="h",
                y=[folded(variant) for variant in variants],
                x=[spread and spread.median for spread in spreads],
                customdata=[_range(spread) for spread in spreads],
                error_x=_errors(spreads),
                marker={"color": ENGINES[engine].colour},
                hovertemplate="%{customdata}<extra>" + NAMES[engine] + "</extra>",
            )
        )
    plain = comparison.baseline.get("steps")
    return figure(
        *traces,
        height=110 + 62 * len(variants),
        shapes=[_yardstick(statistics.median(plain))] if plain else [],
        barmode="group",
        bargap=0.28,
        bargroupgap=0.06,
        xaxis={"title": {"text": "makespan, seconds"}, "rangemode": "tozero", "nticks": 7},
        yaxis={"automargin": True, "ticksuffix": " "},
        legend_traceorder="reversed",
    )


def _yardstick(without_engine: float) -> dict[str, Any]:
    """A line at the time of one process without any engine."""
    return {
        "type": "line",
        "yref": "paper",
        "x0": without_engine,
        "x1": without_engine,
        "y0": 0,
        "y1": 1,
        "line": {"color": "#8f9aa8", "width": 1.6, "dash": "dash"},
        "name": "one process, no engine",
        "showlegend": True,
    }


def _errors(spreads: Sequence[Spread | None]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [spread.max - spread.median if spread else 0 for spread in spreads],
        "arrayminus": [spread.median - spread.min if spread else 0 for spread in spreads],
        "thickness": 1.4,
        "width": 3,
    }


def _range(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{seconds(spread.median)} ({seconds(spread.min)} to {seconds(spread.max)})"


def folded(name: str) -> str:
    """A long name on two lines, broken at an underscore near its middle."""
    if len(name) <= 18:
        return name
    breaks = [i + 1 for i, letter in enumerate(name) if letter == "_"]
    if not breaks:
        return name
    middle = min(breaks, key=lambda i: abs(i - len(name) / 2))
    return f"{name[:middle]}<br>{name[middle:]}"


def growths(comparison: Comparison) -> dict[str, Any] | None:
    """Makespan of the no-op fan-out by its size; None with fewer than two sizes."""
    traces = []
    for engine in comparison.plan.engines:
        points = growth(comparison, engine)
        if len(points) < 2:
            continue
        spreads = [spread for _, spread in points]
        traces.append(
            go.Scatter(
                name=NAMES[engine],
                mode="lines+markers",
                x=[n for n, _ in points],
                y=[spread.median for spread in spreads],
                customdata=[_range(spread) for spread in spreads],
                error_y=_errors(spreads),
                line={"color": ENGINES[engine].colour, "width": 2.5},
                marker={"size": 8},
                hovertemplate="%{x:,} steps: %{customdata}<extra>" + NAMES[engine] + "</extra>",
            )
        )
    if not traces:
        return None
    sizes = sorted({n for engine in comparison.plan.engines for n, _ in growth(comparison, engine)})
    return figure(
        *traces,
        height=360,
        xaxis={
            "title": {"text": "no-op steps in the fan-out (logarithmic)"},
            "type": "log",
            "tickvals": sizes,
            "ticktext": [f"{n:,}" for n in sizes],
        },
        yaxis={
            "title": {"text": "makespan, s (logarithmic)"},
            "type": "log",
            "tickvals": [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)],
            "ticktext": [f"{step * 10.0**power:g}" for power in range(-3, 5) for step in (1, 2, 5)],
            "automargin": True,
        },
    )


def median_run(comparison: Comparison, job: str, engine: str) -> Run | None:
    """The run whose makespan is the (lower) median of those that count."""
    runs = [run for run in comparison.counted(job, engine) if run.makespan is not None]
    if not runs:
        return None
    middle = statistics.median_low(run.makespan or 0.0 for run in runs)
    return next(run for run in runs if run.makespan == middle)


def timelines(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """For each job: which task ran when, on which slot of which engine's worker."""
    made = {}
    for job in comparison.plan.jobs:
        runs = [
            run
            for engine in comparison.plan.engines
            if (run := median_run(comparison, job, engine)) is not None
            and 0 < len(run.timeline) <= MOST_TASKS
        ]
        if runs:
            made[job] = _timeline(runs)
    return made


def _timeline(runs: Sequence[Run]) -> dict[str, Any]:
    rows = [
        f"{NAMES[run.engine]} {slot + 1}"
        for run in runs
        for slot in range(1 + max(bar.slot for bar in run.timeline))
    ]
    traces: list[Any] = []
    for run in runs:
        name = NAMES[run.engine]
        traces.append(
            go.Bar(
                name=name,
                orientation="h",
                y=[f"{name} {bar.slot + 1}" for bar in run.timeline],
                base=[bar.start for bar in run.timeline],
                x=[round(bar.end - bar.start, 4) for bar in run.timeline],
                customdata=[[bar.task, bar.item, bar.start, bar.end] for bar in run.timeline],
                marker={"color": ENGINES[run.engine].colour, "line": {"width": 0.6}},
                hovertemplate="%{customdata[0]} %{customdata[1]}<br>%{customdata[2]:.3f} s to "
                "%{customdata[3]:.3f} s<extra></extra>",
                showlegend=False,
            )
        )
        # The end of the run as its caller knows it: a stroke beside the engine's rows.
        slots = [row for row in rows if row.startswith(name)]
        traces.append(
            go.Scatter(
                mode="markers",
                x=[run.makespan] * len(slots),
                y=slots,
                marker={
                    "symbol": "line-ns-open",
                    "size": ROW - 2,
                    "color": ENGINES[run.engine].colour,
                    "line": {"width": 2},
                },
                hovertemplate=f"end: {seconds(run.makespan or 0.0)}<extra>{name}</extra>",
                showlegend=False,
            )
        )
    return figure(
        *traces,
        height=90 + ROW * len(rows),
        barmode="overlay",
        bargap=0.18,
        hovermode="closest",
        xaxis={"title": {"text": "seconds after the start"}, "rangemode": "tozero", "nticks": 7},
        yaxis={
            "categoryorder": "array",
            "categoryarray": list(reversed(rows)),
            "automargin": True,
            "ticksuffix": " ",
        },
    )


def parts(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """For each job: execution, assignment and transition of the median run, by engine."""
    made = {}
    for job in comparison.plan.jobs:
        engines = [e for e in comparison.plan.engines if median_run(comparison, job, e)]
        if not engines:
            continue
        runs = [median_run(comparison, job, engine) for engine in engines]
        traces = []
        for part, colour in PART_COLOURS.items():
            values = [getattr(run.parts, part) if run and run.parts else 0.0 for run in runs]
            shares = [
                value / run.makespan if run and run.makespan else 0.0
                for run, value in zip(runs, values, strict=True)
            ]
            traces.append(
                go.Bar(
                    name=part,
                    orientation="h",
                    y=[NAMES[engine] for engine in engines],
                    x=values,
                    text=[f"{share:.0%}" if share >= 0.08 else "" for share in shares],
                    textposition="inside",
                    insidetextanchor="middle",
                    textangle=0,
                    textfont={"color": ON_PARTS[part]},
                    customdata=[
                        f"{part}: {seconds(value)}, {share:.0%}"
                        for value, share in zip(values, shares, strict=True)
                    ],
                    marker={"color": colour},
                    hovertemplate="%{customdata}<extra>%{y}</extra>",
                )
            )
        made[job] = figure(
            *traces,
            height=110 + 40 * len(engines),
            barmode="stack",
            bargap=0.3,
            xaxis={"title": {"text": "seconds of the makespan"}, "nticks": 7},
            yaxis={"automargin": True, "ticksuffix": " ", "autorange": "reversed"},
        )
    return made
