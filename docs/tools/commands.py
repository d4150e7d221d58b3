"""The reference of the commands, from the commands themselves."""

from __future__ import annotations

import typer
from typer.cli import get_docs_for_click

from offcanvas import cli


def markdown() -> str:
    """One section for each command: usage, arguments, options."""
    command = typer.main.get_command(cli.app)
    context = typer.Context(command, info_name="offcanvas")
    page: str = get_docs_for_click(obj=command, ctx=context, name="offcanvas")
    return page.replace("# `offcanvas`", "# Commands", 1).replace("**Usage**:\n", "")
