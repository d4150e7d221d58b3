"""`offcanvas`: the command line. Commands live in their own modules; this file only mounts them.

A command's module imports nothing heavier than typer at its top: engines, parsers and servers are
imported inside the command, so that `offcanvas --version` needs no extra installed.
"""

import atexit
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from offcanvas.commands.audit import audit
from offcanvas.commands.check import check
from offcanvas.commands.compare import compare
from offcanvas.commands.cutover import cutover
from offcanvas.commands.drain import drain
from offcanvas.commands.once import Once
from offcanvas.commands.port import port
from offcanvas.commands.preflight import preflight
from offcanvas.commands.run import run
from offcanvas.commands.schedules import schedules
from offcanvas.commands.shadow import shadow
from offcanvas.commands.show import show
from offcanvas.engines.command_line import MISUSE
from offcanvas.errors import OffcanvasError, missing_extra
from offcanvas.printable import escaped, masked, say

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"offcanvas {version('offcanvas')}")
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
    """Celery canvases: shown, run elsewhere, checked, audited, ported and moved."""


app.command(cls=Once)(show)
app.command(cls=Once)(run)
app.command(cls=Once)(check)
app.command(cls=Once)(compare)
app.command(cls=Once)(audit)
app.command(cls=Once)(port)
app.command(cls=Once)(preflight)
app.command(cls=Once)(drain)
app.command(cls=Once)(schedules)
app.add_typer(cutover, name="cutover")
app.add_typer(shadow, name="shadow")


def _have_a_home() -> None:
    """For the time of the command, if the user has none: libraries ask for it when imported."""
    try:
        Path.home()
    except RuntimeError:  # neither HOME nor an entry in the system's list of users
        os.environ["HOME"] = tempfile.mkdtemp(prefix="oc-home-")
        atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)


def main() -> None:
    """Run the command line; exit 2 with one line on stderr when the user has to act."""
    _have_a_home()
    alone = len(sys.argv) == 1  # the help, as it is printed for that
    try:
        code = app(standalone_mode=alone)
    except OffcanvasError as error:
        # The kit's own lists have a line for each thing, indented; names may hold anything.
        line = "\n  ".join(map(escaped, masked(str(error)).split("\n  ")))
    except MISUSE as error:  # what the parser does not know, on one line instead of in a box
        line = f"{' '.join(error.format_message().split())} (--help tells more)"
    except typer.Abort:
        sys.exit(1)
    except ModuleNotFoundError as error:
        missing = missing_extra(error, "this command")
        if missing is None:
            raise
        line = str(missing)
    else:
        sys.exit(code if isinstance(code, int) else 0)
    say(f"offcanvas: {line}", err=True)
    sys.exit(2)
