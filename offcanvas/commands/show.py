"""`offcanvas show`: a canvas, drawn."""

from enum import StrEnum
from typing import Annotated

import typer

from offcanvas.commands.parameters import App, Arguments
from offcanvas.printable import say


class Format(StrEnum):
    """How to draw."""

    TREE = "tree"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


def show(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="package.module:name of a canvas, a task, or a function that returns or sends "
            "one; or file.py:line of one in a source that is read and not imported.",
        ),
    ],
    app: App = None,
    arg: Arguments = None,
    format_: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TREE,
) -> None:
    """Draw the canvas at TARGET without running anything."""
    from offcanvas._show import show as drawn
    from offcanvas.audit.place import is_place
    from offcanvas.commands.target import canvas

    if is_place(target):
        say(_outline(target, arg, format_), nl=False)
        return
    say(drawn(canvas(target, arg or (), app=app), format_), nl=False)


def _outline(target: str, arg: list[str] | None, format_: Format) -> str:
    from offcanvas.audit.drawing import diagram, outline_tree, picture
    from offcanvas.audit.place import outline_at
    from offcanvas.errors import UsageError

    if arg:
        raise UsageError("--arg: a place in the source takes no arguments")
    if format_ is Format.JSON:
        raise UsageError("--format json: an outline is not a canvas that could run; use tree")
    outline = outline_at(target)
    match format_:
        case Format.MERMAID:
            return diagram(outline)
        case Format.SVG:
            return picture(outline)
        case _:
            return outline_tree(outline) + "\n"
