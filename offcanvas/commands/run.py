"""`offcanvas run`: a canvas, run on an engine."""

import warnings
from dataclasses import replace
from typing import Annotated

import typer

from offcanvas.commands.parameters import App, Arguments, Target
from offcanvas.printable import escaped, say


def run(
    target: Target,
    app: App = None,
    arg: Arguments = None,
    on: Annotated[
        str, typer.Option("--on", metavar="ENGINE", help="Where: memory needs no server.")
    ] = "memory",
    strict_celery: Annotated[
        bool,
        typer.Option("--strict-celery", help="Do what Celery does where it documents otherwise."),
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="For the canvas to end.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(metavar="auto|N", help="Members of a group that run together."),
    ] = None,
) -> None:
    """Run the canvas at TARGET on one engine and print its value as JSON.

    Exits with 0 if there is a value, 1 with the error in one line if the canvas failed or has no
    result, 2 if it could not be run.
    """
    from kombu.exceptions import EncodeError
    from kombu.utils.json import dumps

    from offcanvas._run import require_batches
    from offcanvas.celery_app.carried import ADVICE
    from offcanvas.commands.output import output_of_tasks_on_stderr
    from offcanvas.commands.target import submission
    from offcanvas.engines.batches import batch_of_word
    from offcanvas.engines.registry import engine
    from offcanvas.errors import CanvasWarning, line_of
    from offcanvas.stopping import stop_on_signals

    wanted = submission(target, arg or (), app=app, strict=strict_celery, timeout=timeout)
    chosen = engine(on)
    if batch is not None:
        together = batch_of_word(batch)
        require_batches(on, together)
        wanted = replace(wanted, batch=together)
    planned = chosen.plan(wanted)
    try:
        with (
            stop_on_signals(),
            output_of_tasks_on_stderr(),
            warnings.catch_warnings(record=True) as told,
        ):
            warnings.simplefilter("always", CanvasWarning)
            outcome = chosen.run(planned)
    except KeyboardInterrupt:
        say("offcanvas: stopped", err=True)
        raise typer.Exit(130) from None
    for warning in told:
        say(f"offcanvas: {escaped(str(warning.message))}", err=True)
    if outcome.state == "PENDING":
        waits = (
            f"the canvas was not done after {timeout:g} s" if timeout else "it was not done in time"
        )
        why = "get() would wait for ever" if outcome.complete else waits
        say(f"no result: {why}", err=True)
        raise typer.Exit(1)
    if outcome.error is not None:
        say(line_of(outcome.error), err=True)
        if isinstance(outcome.error, EncodeError):
            say(f"offcanvas: what a task returns or sends is no JSON: {ADVICE}", err=True)
        raise typer.Exit(1)
    try:
        say(dumps(outcome.value))
    except (TypeError, ValueError):  # an app with another serializer, on Celery
        say(repr(outcome.value))
