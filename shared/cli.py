"""What every command line of the reference has in common: errors in one line, progress bars.

    app = application("What it is for.")

    @app.command()
    def greet(name: str) -> None: ...

    if __name__ == "__main__":
        run(app, "python -m shared")

Exit codes: 0 done; 1 done, with a bad finding (the command says so itself, `typer.Exit(1)`);
2 the user has to act, said in one line on stderr; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, Protocol

import typer
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
from sqlalchemy.exc import DatabaseError, OperationalError

from shared.errors import UsageError
from shared.settings import masked, settings

Explain = Callable[[Exception], str | None]


def application(purpose: str) -> typer.Typer:
    """A typer application whose errors are left to `run`."""
    return typer.Typer(help=purpose, add_completion=False, pretty_exceptions_enable=False)


def run(
    app: typer.Typer, name: str, args: Sequence[str] | None = None, explain: Explain | None = None
) -> NoReturn:
    """Run a command line and exit the process; what the user has to mend is one line and exit 2.

    Args:
        app: the application; a command may end with `typer.Exit(code)`.
        name: how the user called it, for example `python -m shared`; begins each error line.
        args: the arguments; those of the process when None.
        explain: the line for an error that only the caller knows (a broker that does not answer),
            None for one that it does not know either. Errors nobody knows are bugs, and keep
            their traceback.
    """
    command = typer.main.get_command(app)
    try:
        code = command.main(args=args, prog_name=name, standalone_mode=False)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        line = (explain and explain(error)) or _line_for(error)
        if line is None:
            raise
        _say(name, line)
        sys.exit(2)
    if code == 130:
        _say(name, "interrupted")
    sys.exit(code if isinstance(code, int) else 0)


def _say(name: str, line: str) -> None:
    typer.echo(f"{name}: {' '.join(line.split())}", err=True)


def _line_for(error: Exception) -> str | None:
    if isinstance(error, UsageError):
        return str(error)
    if isinstance(error, typer.TyperException):
        return f"{error.format_message()} (--help tells more)"
    if isinstance(error, DatabaseError):
        return _database_line(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None


def _database_line(error: DatabaseError) -> str | None:
    address = masked(settings().database_url or "")
    reason = " ".join(str(error.orig).split())
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate == "42P01" or "no such table" in reason:
        return f"DATABASE_URL={address} has no tables: run `python -m shared init` first"
    if sqlstate == "42501" or "file is not a database" in reason or "readonly" in reason:
        return f"DATABASE_URL={address} cannot be used: {reason}"
    if not isinstance(error, OperationalError):
        return None
    if error.statement is None:
        return (
            f"cannot reach DATABASE_URL={address}: {reason}; "
            "start the database or correct the address"
        )
    return f"DATABASE_URL={address} failed at work: {reason}; try again"


class Advance(Protocol):
    """What `progress` yields."""

    def __call__(self, count: int, detail: str = "", /) -> object:
        """So many units more are done, and `detail` comes next."""


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Advance]:
    """A progress bar on stderr, only where stderr is a terminal; yields `advance(count, detail)`.

    `total` is the number of units to come, None when nobody knows.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *([] if total is None else [MofNCompleteColumn()]),
        TimeElapsedColumn(),
        *([] if total is None else [TimeRemainingColumn()]),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    # The terminal is asked, not the console: TERM or FORCE_COLOR can make rich believe in one.
    shown = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(description, total=total, detail="")
        yield lambda count, detail="", /: bar.update(task, advance=count, detail=detail)
