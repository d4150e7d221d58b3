"""The command line of a worker: what its parser does not know is one line, and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

import typer

from offcanvas.printable import say

#: The parser's own error: typer has one from 0.29 on, and stood on click's before.
MISUSE: Any = getattr(typer, "TyperException", None) or import_module("click").ClickException


def run(main: Callable[..., None]) -> NoReturn:
    """Run ``main``, whose parameters are the options, and exit."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        code = app(standalone_mode=False)
    except MISUSE as error:
        told = f"{' '.join(error.format_message().split())} (--help tells more)"
        say(f"offcanvas: {told}", err=True)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
