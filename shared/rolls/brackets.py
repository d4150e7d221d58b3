"""Paired brackets in text of both directions: rule N0 of UAX #9, which bidi.algorithm lacks.

Without it, a closing bracket after a Latin word in an Arabic name would move to the far end of
the word. The tests compare the resulting order with python-bidi's other engine, which has the
rule but tells no levels.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any
from unicodedata import category

from bidi.mirror import MIRRORED  # type: ignore[import-untyped]  # no stubs

# BD16: the depth to which nested brackets are followed.
_DEPTH = 63
# Digits count as right to left in the rules for neutral characters.
_DIRECTIONS = {"L": "L", "R": "R", "EN": "R", "AN": "R"}


def resolve_brackets(chars: list[dict[str, Any]], base_level: int) -> None:
    """Give brackets the direction of what they enclose.

    ``chars`` are those of bidi.algorithm, of one level run, with weak types resolved; their types
    are changed in place.
    """
    embedding = "LR"[base_level]
    for opening, closing in _pairs(chars):
        inside = {_DIRECTIONS.get(char["type"]) for char in chars[opening + 1 : closing]} - {None}
        if not inside:
            continue
        direction = embedding
        if embedding not in inside:
            # All inside runs the other way; what stands before the bracket decides.
            before = (_DIRECTIONS.get(char["type"]) for char in reversed(chars[:opening]))
            direction = next(filter(None, before), embedding)
        for bracket in (opening, closing):
            chars[bracket]["type"] = direction
            for mark in takewhile(lambda char: char["orig"] == "NSM", chars[bracket + 1 :]):
                mark["type"] = direction


def _pairs(chars: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return the positions of matching brackets, in the order of the opening ones (BD16)."""
    found = []
    waiting: list[tuple[str, int]] = []
    for at, char in enumerate(chars):
        bracket = char["ch"]
        if char["type"] != "ON" or bracket not in MIRRORED:
            continue
        if category(bracket) == "Ps":
            if len(waiting) == _DEPTH:
                return []
            waiting.append((MIRRORED[bracket], at))
        elif category(bracket) == "Pe":
            for depth in range(len(waiting) - 1, -1, -1):
                if waiting[depth][0] == bracket:
                    found.append((waiting[depth][1], at))
                    del waiting[depth:]
                    break
    return sorted(found)
