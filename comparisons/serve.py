"""`python -m comparisons serve`: the embedded servers, for work by hand."""

from __future__ import annotations

import contextlib
import shlex
import sys
import threading
from collections.abc import Sequence

import typer

from comparisons import services, stage
from offcanvas.servers import ServerError
from shared.cli import progress as bar
from shared.database import create_tables
from shared.settings import load_settings


def run_serve(engines: Sequence[str]) -> int:
    """Start what the settings do not name, print the exports, and stay until Ctrl-C or SIGTERM.

    The database is private as well, unless the settings name one. Returns 0, or 1 when a server
    did not come up.
    """
    try:
        _serve(engines)
    except ServerError as error:
        # Not the user's mistake, and more than a line: the end of the log comes with it.
        typer.echo(f"python -m comparisons: {error}", err=True)
        return 1
    return 0


def _serve(engines: Sequence[str]) -> None:
    settings = load_settings()
    services.check_named(settings, engines)
    wanted = services.embedded(settings, engines)
    with stage.signals_as_exceptions(), stage.private_folder() as folder:
        address = settings.database_url or f"sqlite:///{folder / 'voters.db'}"
        variables = {"DATABASE_URL": address, "ROLLS_DIR": str(settings.rolls_dir.absolute())}
        stage.set_environment(variables)
        create_tables()
        with contextlib.ExitStack() as stack:
            with bar("Starting the servers"):
                running = stack.enter_context(services.started(wanted))
            for server in running.values():
                variables.update(server.environment)
            for name, value in variables.items():
                typer.echo(f"export {name}={shlex.quote(value)}")
            sys.stdout.flush()
            typer.echo("ready; Ctrl-C stops the servers and removes their data", err=True)
            with contextlib.suppress(KeyboardInterrupt):  # the way to end it, not an error
                threading.Event().wait()
