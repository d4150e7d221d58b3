"""A canvas in one line, for the lists in which engines show what runs."""

from __future__ import annotations

from itertools import groupby

from offcanvas.canvas.nodes import Chain, Chord, Group, Node

LONGEST = 150


def title(node: Node, longest: int = LONGEST) -> str:
    """For example ``shop.prices | (shop.double x 3) | shop.total``; at most ``longest`` bytes."""
    return shortened(_text(node), longest)


def shortened(text: str, longest: int) -> str:
    """``text`` in at most ``longest`` bytes of UTF-8, with dots for what is left out."""
    whole = text.encode()
    if len(whole) <= longest:
        return text
    return whole[: longest - 3].decode(errors="ignore") + "..."


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
