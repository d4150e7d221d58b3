"""`offcanvas`: the command line. Commands live in their own modules; this file only mounts them.

A command's module imports nothing heavier than typer at its top: engines, parsers and servers are
imported inside the command, so that `offcanvas --version` needs no extra installed.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from offcanvas.audit.command import audit
from offcanvas.canvas.command import show
from offcanvas.check.command import check
from offcanvas.errors import OffcanvasError
from offcanvas.run_command import run

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"offcanvas {version('offcanvas')}")
        raise typer.Exit


@app.callback()
def offcanvas(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Celery canvases: shown, run elsewhere, checked and audited."""


app.command()(show)
app.command()(run)
app.command()(check)
app.command()(audit)


def main() -> None:
    """Run the command line; exit 2 with one line on stderr when the user has to act."""
    try:
        app()
    except OffcanvasError as error:
        typer.echo(f"offcanvas: {error}", err=True)
        sys.exit(2)
