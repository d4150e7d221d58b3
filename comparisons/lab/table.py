"""The matrix in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comparisons.lab.fault import Ending
from comparisons.lab.profiles import PROFILES
from comparisons.lab.results import Lab, Square

_PIPE_WIDTH = 25  # of each column, where the output is not a terminal
_COLOURS = {
    Ending.WHOLE: "green",
    Ending.REPEATED: "cyan",
    Ending.WRONG: "red",
    Ending.LOST: "red",
    Ending.NOT_INJECTED: "magenta",
}


def print_lab(lab: Lab, console: Console | None = None) -> None:
    """The table, then what follows, then what was missed."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=_PIPE_WIDTH * (2 + len(lab.plan.profiles)))
    table = Table(
        title=f"How the runs ended, {lab.plan.repeat} of each; seconds from the heal to the last "
        "effect, median",
        title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_lines=False,
    )  # fmt: skip
    table.add_column("fault")
    for profile in lab.plan.profiles:
        table.add_column(PROFILES[profile].title)
    watched = any(square.watched for square in lab.squares)
    if watched:
        table.add_column("told by an alert")
    for fault in lab.plan.faults:
        squares = [lab.square(fault, profile) for profile in lab.plan.profiles]
        cells = [*map(_cell, squares), *([_told(squares)] if watched else [])]
        table.add_row(f"{fault} {squares[0].fault.title}", *cells)
    console.print(table)
    for sentence in lab.sentences:
        console.print(f"- {escape(sentence)}", highlight=False)
    for square in lab.squares:
        if square.meaningless:
            said = f"{square.fault.id} says nothing about {square.profile}: {square.meaningless}"
            console.print(f"- {escape(said)}", highlight=False)


def _cell(square: Square) -> str:
    if square.meaningless:
        return "[dim]not applicable[/dim]"
    lines = [
        f"[{_COLOURS[ending]}]{square.endings[ending]} {ending}[/]"
        for ending in Ending
        if square.endings[ending]
    ]
    spread = square.spread("completed_after_heal")
    time = f" {spread.median:.1f} s" if spread else ""
    mark = " [red]misses the goal[/red]" if square.missed else ""
    return ", ".join(lines) + time + mark + _alerts(square)


def _told(squares: Sequence[Square]) -> str:
    """On how many of the profiles that were watched an alert fired."""
    watched = [square for square in squares if square.watched]
    return f"{sum(bool(square.alerts) for square in watched)} of {len(watched)}"


def _alerts(square: Square) -> str:
    if not square.watched:
        return ""
    first = square.spread("alerted")
    if first is None:
        return "\n[dim]no alert[/dim]"
    return f"\n[dim]{', '.join(square.alerts)} {first.median:.1f} s[/dim]"
