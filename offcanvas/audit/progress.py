"""A progress bar on a terminal; nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from offcanvas.audit.scan import Progress


@contextmanager
def shown_progress() -> Iterator[Progress | None]:
    """A function that draws progress on stderr, or None when that is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    # No refreshing thread: worker processes are forked while the bar is shown.
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    steps: dict[str, object] = {}

    def draw(step: str, done: int, of: int) -> None:
        if step not in steps:
            steps[step] = bar.add_task(step, total=of)
        bar.update(steps[step], completed=done, refresh=True)  # type: ignore[arg-type]  # a TaskID

    with bar:
        yield draw
