"""`offcanvas run`: a canvas, run on an engine."""

import warnings
from typing import Annotated

import typer

from offcanvas.parameters import App, Arguments, Target


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
) -> None:
    """Run the canvas at TARGET on one engine and print its value as JSON.

    Exits with 0 if there is a value, 1 with the error in one line if the canvas failed or has no
    result, 2 if it could not be run.
    """
    from kombu.utils.json import dumps

    from offcanvas.engines.base import engine
    from offcanvas.engines.prepare import CanvasWarning
    from offcanvas.output import output_of_tasks_on_stderr
    from offcanvas.run import submission
    from offcanvas.stopping import stop_on_signals

    wanted = submission(target, arg or (), app=app, strict=strict_celery, timeout=timeout)
    chosen = engine(on)
    chosen.vet(wanted)
    try:
        with (
            stop_on_signals(),
            output_of_tasks_on_stderr(),
            warnings.catch_warnings(record=True) as told,
        ):
            warnings.simplefilter("always", CanvasWarning)
            outcome = chosen.run(wanted)
    except KeyboardInterrupt:
        typer.echo("offcanvas: stopped", err=True)
        raise typer.Exit(130) from None
    for warning in told:
        typer.echo(f"offcanvas: {warning.message}", err=True)
    if outcome.state == "PENDING":
        why = "get() would wait for ever" if outcome.complete else "the time is up"
        typer.echo(f"no result: {why}", err=True)
        raise typer.Exit(1)
    if outcome.error is not None:
        error = outcome.error
        typer.echo(" ".join(f"{type(error).__name__}: {error}".split()), err=True)
        raise typer.Exit(1)
    try:
        typer.echo(dumps(outcome.value))
    except (TypeError, ValueError):  # an app with another serializer, on Celery
        typer.echo(repr(outcome.value))
