"""`offcanvas check`: a canvas of yours on Celery and on other engines, compared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from offcanvas.parameters import App, Arguments, Target

if TYPE_CHECKING:
    from offcanvas.check.compare import Plan
    from offcanvas.engines.base import Submission


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
) -> None:
    """Run the canvas at TARGET on Celery and elsewhere, and say what differs.

    THE TASKS ARE REALLY RUN, with all they do: once on Celery, once on each engine, and once more
    on Celery if an engine differs. Redis, the engines' servers and all workers are private to the
    check and gone after it; other systems that tasks talk to are not. Compared are the result or
    the exception, the tasks that ran with their arguments, error callbacks, and their order.

    Exits with 0 if all engines do the same, 1 if one does not, 2 if nothing could be run.
    """
    from offcanvas.check.compare import compare, plan
    from offcanvas.check.words import as_json, as_text
    from offcanvas.output import output_of_tasks_on_stderr
    from offcanvas.run import submission
    from offcanvas.stopping import stop_on_signals

    wanted = submission(target, arg or (), app=app, strict=strict_celery, timeout=timeout)
    planned = plan(wanted, on or ())
    typer.echo(_announcement(wanted, planned), err=True)
    try:
        with stop_on_signals(), output_of_tasks_on_stderr(), _progress() as tell:
            report = compare(wanted, planned, tell)
    except KeyboardInterrupt:
        typer.echo("offcanvas: stopped; its servers and workers are gone", err=True)
        raise typer.Exit(130) from None
    typer.echo(as_json(target, report) if format_ is Format.JSON else as_text(report))
    if not report.same:
        raise typer.Exit(1)


def _announcement(wanted: "Submission", planned: "Plan") -> str:
    from offcanvas.canvas.lift import lift
    from offcanvas.canvas.nodes import Task, walk

    found = (place.node for place in walk(lift(wanted.signature)))
    names = sorted({node.name for node in found if isinstance(node, Task)})
    where = ", ".join(["celery", *(engine.name for engine in planned.engines)])
    again = "; a second time on celery if one differs" if planned.engines else ""
    return f"Really running {', '.join(names) or 'no task'}, once on each of: {where}{again}."


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says what is going on."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("Starting") as status:
        yield status.update
