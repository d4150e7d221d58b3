"""A canvas as a drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from offcanvas.canvas import draw, svg, wire
from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Node
from offcanvas.errors import UsageError


def _json(node: Node) -> str:
    return wire.dumps(node, indent=2) + "\n"


#: Ways to draw, by name.
_FORMATS: Mapping[str, Callable[[Node], str]] = {
    "tree": draw.tree,
    "mermaid": draw.mermaid,
    "svg": svg.svg,
    "json": _json,
}


def show(signature: Mapping[str, Any], format: str = "tree") -> str:  # noqa: A002  # as the command calls it
    """Draw a canvas; nothing is run.

    Args:
        signature: a Celery signature of any kind.
        format: "tree" (text), "mermaid" (a flowchart for Markdown), "svg", or "json", which is the
            form in which the kit stores a canvas.

    Returns:
        The drawing as text that ends with a line break.

    Raises:
        BadCanvas: the signature cannot be understood.
        UsageError: no such format.
    """
    try:
        drawn = _FORMATS[format]
    except KeyError:
        there_are = ", ".join(_FORMATS)
        raise UsageError(f"no format is called {format!r}; there are: {there_are}") from None
    return drawn(lift(signature))
