"""A canvas in one line, for the list of flow runs."""

from __future__ import annotations

from itertools import groupby

from offcanvas.canvas.nodes import Chain, Chord, Group, Node

LONGEST = 150


def title(node: Node) -> str:
    """For example ``shop.prices | (shop.double x 3) | shop.total``."""
    text = _text(node)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _text(node: Node) -> str:
    match node:
        case Chain(steps=steps):
            return " | ".join(map(_text, steps))
        case Group(members=members):
            # Ten thousand equal members are one word.
            counted = [(word, len(list(same))) for word, same in groupby(map(_text, members))]
            words = [f"{word} x {count}" if count > 1 else word for word, count in counted]
            return f"({', '.join(words)})"
        case Chord(header=header, body=body) if body is not None:
            return f"{_text(header)} | {_text(body)}"
        case _:
            return str(getattr(node, "name", type(node).__name__.lower()))
