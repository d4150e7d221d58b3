"""`offcanvas check`: a canvas of yours on Celery and on other engines, compared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from offcanvas.commands.parameters import App, Arguments, Target
from offcanvas.printable import escaped, say

if TYPE_CHECKING:
    from offcanvas.celery_app.planning import Submission
    from offcanvas.checking.compare import Comparison


class Format(StrEnum):
    """How to print the verdicts."""

    TEXT = "text"
    JSON = "json"


def check(
    target: Target,
    app: App = None,
    arg: Arguments = None,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="ENGINE", help="Compare with this engine. Repeat for more."),
    ] = None,
    strict_celery: Annotated[
        bool,
        typer.Option("--strict-celery", help="Expect what Celery does, not what it documents."),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="For the canvas to end, on each engine."),
    ] = 60.0,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every difference, also those that repeat.")
    ] = False,
) -> None:
    """Run the canvas at TARGET on Celery and elsewhere, and say what differs.

    THE TASKS ARE REALLY RUN, with all they do: once on Celery, once on each engine, and once more
    on Celery if an engine differs. Redis, the engines' servers and all workers are private to the
    check and gone after it; other systems that tasks talk to are not. Compared are the result or
    the exception, the tasks that ran with their arguments, error callbacks, and their order.

    Exits with 0 if all engines do the same, 1 if one does not, 2 if nothing could be run.
    """
    from offcanvas.checking.compare import compare, plan
    from offcanvas.checking.report import as_json, as_text
    from offcanvas.commands.output import output_of_tasks_on_stderr
    from offcanvas.commands.target import submission
    from offcanvas.stopping import stop_on_signals

    wanted = submission(target, arg or (), app=app, strict=strict_celery, timeout=timeout)
    planned = plan(wanted, on or ())
    say(announcement(wanted, planned), err=True)
    try:
        with stop_on_signals(), output_of_tasks_on_stderr(), progress() as tell:
            report = compare(wanted, planned, tell)
    except KeyboardInterrupt:
        say("offcanvas: stopped; its servers and workers are gone", err=True)
        raise typer.Exit(130) from None
    say(as_json(target, report) if format_ is Format.JSON else as_text(report, verbose=verbose))
    if not report.same:
        raise typer.Exit(1)


def announcement(wanted: "Submission", planned: "Comparison", times: int = 0) -> str:
    """What is going to be run, and where; `times` is how often, 0 as `check` does it."""
    from offcanvas.canvas.lift import lift
    from offcanvas.canvas.nodes import Task, walk

    found = (place.node for place in walk(lift(wanted.signature)))
    names = sorted({escaped(node.name) for node in found if isinstance(node, Task)})
    where = ", ".join(["celery", *(engine.name for engine in planned.engines)])
    again = "; a second time on celery if one differs" if planned.engines and not times else ""
    often = "once" if times < 2 else f"{times} times"
    return f"Really running {', '.join(names) or 'no task'}, {often} on each of: {where}{again}."


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says what is going on."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("Starting") as status:
        yield lambda text: status.update(Text(escaped(text)))  # no markup
