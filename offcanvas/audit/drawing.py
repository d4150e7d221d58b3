"""Outlines as canvases of the kit, so that the kit's drawings show them."""

import re
from typing import Final

from offcanvas.audit.inventory import Drawn
from offcanvas.canvas.draw import mermaid
from offcanvas.canvas.nodes import Chain, Chord, Group, Node, Options, Task
from offcanvas.canvas.svg import svg

_ONE: Final = re.compile(r"\bgroup of 1\b(?![,\d])")


def as_node(drawn: Drawn) -> Node:
    """A canvas to look at, not to run: unknown members and choices are tasks called "? why"."""
    errors = (Task(name="error callback"),) if drawn.errbacks else ()
    options = Options(link_error=errors)
    if drawn.kind == "chain":
        return Chain(steps=tuple(as_node(p) for p in drawn.parts), options=options)
    if drawn.kind == "group":
        return Group(members=tuple(as_node(p) for p in drawn.parts), options=options)
    if drawn.kind == "chord":
        return Chord(
            header=Group(members=tuple(as_node(p) for p in drawn.parts)),
            body=as_node(drawn.body) if drawn.body is not None else None,
            options=options,
        )
    if drawn.kind == "choice":
        chosen = Task(name=f"? {drawn.why}")
        return Group(members=(chosen, *(as_node(p) for p in drawn.parts)), options=options)
    name = f"? {drawn.why}" if drawn.kind == "unknown" else short(drawn.name)
    if drawn.kind in {"map", "starmap", "chunks"}:
        name = f"{drawn.kind} of {name}"
    if drawn.repeated:
        name = f"each: {name}"
    return Task(name=name, immutable=drawn.immutable, options=options)


def picture(drawn: Drawn) -> str:
    """The canvas as SVG."""
    return _of_one(svg(as_node(drawn)))


def diagram(drawn: Drawn) -> str:
    """The canvas as Mermaid."""
    return _of_one(mermaid(as_node(drawn)))


def _of_one(text: str) -> str:
    # A member that stands for each item of a loop is not a group of one.
    return _ONE.sub("group", text)


def short(name: str) -> str:
    """The last two parts of a dotted name: "tasks.add"."""
    return ".".join(name.split(".")[-2:])


def outline_tree(drawn: Drawn) -> str:
    """An indented tree of a canvas, one member on a line."""
    return "\n".join(_lines(drawn, "", ""))


def _lines(drawn: Drawn, lead: str, role: str) -> list[str]:
    untold = drawn.kind in {"unknown", "choice"}
    label = f"? {drawn.why}" if untold else drawn.name or drawn.kind
    if drawn.kind in {"map", "starmap", "chunks"}:
        label = f"{drawn.kind} of {drawn.name}"
    notes = [
        note
        for said, note in (
            (drawn.repeated, "for each"),
            (drawn.optional, "perhaps"),
            (drawn.immutable, "immutable"),
            (drawn.errbacks, "with error callback"),
        )
        if said
    ]
    lines = [f"{lead}{role}{label}{' (' + ', '.join(notes) + ')' if notes else ''}"]
    for part in drawn.parts:
        lines += _lines(part, lead + "  ", "")
    if drawn.body is not None:
        lines += _lines(drawn.body, lead + "  ", "then ")
    return lines
