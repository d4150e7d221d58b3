"""The chords of a file: those that are written, and a group with a task after it in a chain."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from offcanvas.audit.module import Module
from offcanvas.audit.outline import Outline


@dataclass(frozen=True)
class Chord:
    """A header and its body, in the outermost canvas that holds them."""

    header: tuple[Outline, ...]
    body: Outline
    node: ast.expr
    outline: Outline
    canvas: Outline


def chords(module: Module) -> Iterator[Chord]:
    """Every chord with a body, by line of its canvas."""
    for canvas in module.canvases:
        for outline in canvas.walk():
            if outline.kind == "chord" and outline.body is not None:
                yield Chord(outline.parts, outline.body, outline.node, outline, canvas)
            elif outline.kind == "chain":
                for part, after in zip(outline.parts, outline.parts[1:], strict=False):
                    if part.kind == "group":
                        yield Chord(part.parts, after, part.node, part, canvas)
