"""`offcanvas compare`: a canvas of yours on Celery and on other engines, measured side by side."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from offcanvas.commands.check import announcement, progress
from offcanvas.commands.parameters import App, Arguments, Target
from offcanvas.printable import say


class Format(StrEnum):
    """How to print the figures."""

    TEXT = "text"
    JSON = "json"


def compare(
    target: Target,
    app: App = None,
    arg: Arguments = None,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="ENGINE", help="Compare with this engine. Repeat for more."),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, max=100, help="Runs on each engine.")] = 3,
    timeout: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="For the canvas to end, in each run."),
    ] = 60.0,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with timelines.")
    ] = None,
    faults: Annotated[
        bool,
        typer.Option(
            "--faults",
            help="Hurt it instead: workers killed, frozen and stopped, the server and the result "
            "backend gone, a task that raises or hangs; once each.",
        ),
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """Run the canvas at TARGET on Celery and elsewhere, and say how long and how dear it is.

    THE TASKS ARE REALLY RUN, with all they do, as often as --repeat says on each engine, which take
    turns. Redis, the engines' servers and all workers are private and gone after it; other systems
    that tasks talk to are not. Told are times, CPU and memory, and whether each engine did what
    Celery did.

    With --faults told are what came back and which tasks ran, once undisturbed and once with each
    fault.

    Exits with 0 if all engines do the same, 1 if one does not, 2 if nothing could be run. With
    --faults 1 is for an engine from which nothing came back where something did from Celery.
    """
    from offcanvas.checking.compare import plan
    from offcanvas.commands.output import output_of_tasks_on_stderr
    from offcanvas.commands.target import submission
    from offcanvas.comparing.faults import FAULTS, hurt
    from offcanvas.comparing.faults import as_json as hurt_json
    from offcanvas.comparing.faults import as_text as hurt_text
    from offcanvas.comparing.measure import measure
    from offcanvas.comparing.page import as_html
    from offcanvas.comparing.text import as_json, as_text
    from offcanvas.errors import UsageError
    from offcanvas.files import require_writable, write_whole
    from offcanvas.stopping import stop_on_signals

    wanted = submission(target, arg or (), app=app, strict=False, timeout=timeout)
    planned = plan(wanted, on or ())
    if faults and html is not None:
        raise UsageError("--html is for times; --faults has none to show: leave one of them out")
    if html is not None:
        require_writable(html, str(html))
    say(announcement(wanted, planned, len(FAULTS) + 1 if faults else repeat), err=True)
    try:
        with stop_on_signals(), output_of_tasks_on_stderr(), progress() as tell:
            if faults:
                found = hurt(target, wanted, planned, tell)
            else:
                measured = measure(target, wanted, planned, repeat, tell)
    except KeyboardInterrupt:
        say("offcanvas: stopped; its servers and workers are gone", err=True)
        raise typer.Exit(130) from None
    if faults:
        say(hurt_json(found) if format_ is Format.JSON else hurt_text(found), nl=False)
        raise typer.Exit(1 if found.worse else 0)
    if html is not None:
        write_whole(html, as_html(measured).encode(), str(html))
    say(as_json(measured) if format_ is Format.JSON else as_text(measured), nl=False)
    if not measured.same:
        raise typer.Exit(1)
