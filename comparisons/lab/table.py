"""The matrix in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comparisons.lab.fault import Ending
from comparisons.lab.profiles import PROFILES
from comparisons.lab.results import Lab, Square

_PIPE_WIDTH = 150
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
        console = Console(file=console.file, width=_PIPE_WIDTH)
    table = Table(
        title=f"How the runs ended, {lab.plan.repeat} of each; seconds from the heal to the last "
        "effect, median",
        title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_lines=False,
    )  # fmt: skip
    table.add_column("fault")
    for profile in lab.plan.profiles:
        table.add_column(PROFILES[profile].title)
    for fault in lab.plan.faults:
        squares = [lab.square(fault, profile) for profile in lab.plan.profiles]
        table.add_row(f"{fault} {squares[0].fault.title}", *map(_cell, squares))
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
    return ", ".join(lines) + time + mark
