"""Progress bars on stderr, and only where stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int, str], None]


@contextmanager
def stage(description: str, total: int | None = None) -> Iterator[Advance]:
    """A bar for one stage; yields `advance(count, detail)`, `detail` being what comes next."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *([] if total is None else [MofNCompleteColumn()]),
        TimeElapsedColumn(),
        *([] if total is None else [TimeRemainingColumn()]),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    # The terminal is asked, not rich: TERM or FORCE_COLOR can make it believe in one.
    shown = sys.stderr.isatty()
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not shown
    ) as progress:
        task = progress.add_task(description, total=total, detail="")

        def advance(count: int, detail: str) -> None:
            progress.update(task, advance=count, detail=detail)

        yield advance
