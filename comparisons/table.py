"""The results as a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comparisons.engines import NAMES
from comparisons.words import seconds

Results = Mapping[str, Any]

# (heading, least width of the terminal that shows it)
_COLUMNS = (
    ("makespan", 0),
    ("min", 0),
    ("max", 0),
    ("first\nroll", 92),
    ("tasks\n/ s", 0),
    ("CPU s,\nworker", 108),
    ("CPU s,\nserver", 108),
    ("MB,\nworker", 126),
    ("MB,\nserver", 126),
    ("after-\nwork", 92),
    ("runs\nagree", 0),
)
PIPE_WIDTH = 126  # where the output is not a terminal


def print_table(results: Results, console: Console | None = None) -> None:
    """Print every job on every engine, then the words, then what disagreed.

    `results` is what results.json holds (see schema.json).
    """
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPE_WIDTH)
    console.print(table(results, console.width))
    for sentence in results["sentences"]:
        console.print(f"- {escape(sentence)}", highlight=False)
    for run in results["runs"]:
        for check in run["checks"]:
            if not check["agrees"]:
                console.print(
                    f"[red]{run['job']} on {NAMES[run['engine']]}, repetition "
                    f"{run['repetition']}: {escape(check['name'])}: expected "
                    f"{escape(check['expected'])}, found {escape(check['found'])}[/red]",
                    highlight=False,
                )


def table(results: Results, width: int) -> Table:
    """The table, with the columns that a terminal of this width has room for."""
    plan = results["plan"]
    shown = [number for number, (_, least) in enumerate(_COLUMNS) if width >= least]
    made = Table(
        title=f"Medians of {plan['repeat']}, {plan['concurrency']} steps at a time on each engine",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    made.add_column("job\n  engine", no_wrap=True)
    for number in shown:
        made.add_column(_COLUMNS[number][0], justify="right", no_wrap=True)
    for job, rows in groupby(results["summary"], key=lambda row: row["job"]):
        made.add_row(f"[bold]{job}[/bold]")
        for row in rows:
            cells = _cells(row)
            line = [f"  {NAMES[row['engine']]}", *(cells[number] for number in shown)]
            made.add_row(*line, style="red" if row["agreeing"] != row["runs"] else None)
    return made


def _cells(row: Results) -> list[str]:
    makespan = row["makespan"] or {}

    def number(name: str, digits: int, unit: float = 1.0) -> str:
        return "-" if row[name] is None else f"{row[name]['median'] / unit:.{digits}f}"

    return [
        _seconds(makespan.get("median")),
        _seconds(makespan.get("min")),
        _seconds(makespan.get("max")),
        _median(row["first_roll"]),
        number("tasks_per_second", 1),
        number("workers_cpu_seconds", 2),
        number("servers_cpu_seconds", 2),
        number("workers_peak_memory_bytes", 0, 2**20),
        number("servers_peak_memory_bytes", 0, 2**20),
        _median(row["after_work_seconds"]),
        f"{row['agreeing']} of {row['runs']}",
    ]


def _median(spread: Mapping[str, float] | None) -> str:
    return _seconds(spread["median"] if spread else None)


def _seconds(value: float | None) -> str:
    return "-" if value is None else seconds(value)
