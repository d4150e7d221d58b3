"""Cut a text into the runs a shaper can take: one direction, one script and one font each.

Directions follow the Unicode Bidirectional Algorithm (UAX #9) as python-bidi implements it,
scripts follow UAX #24 as fontTools lists them, and a font is chosen per combining sequence, so
that an accent never comes from another font than its letter.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bidi import algorithm as uax9  # type: ignore[import-untyped]  # no stubs
from fontTools import unicodedata as uax24  # type: ignore[import-untyped]  # no stubs

from shared.rolls.brackets import resolve_brackets
from shared.rolls.text import JOINERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.rolls.fontfile import FontFile

_INHERITED = frozenset({"Zyyy", "Zinh", "Zzzz"})
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_NEEDS_NO_ALGORITHM = _RIGHT_TO_LEFT | {"NSM", "WS"}


@dataclass(frozen=True, slots=True)
class Run:
    """Characters ``start`` to ``end`` of a text, to be shaped together.

    ``level`` is the UAX #9 embedding level: odd levels run right to left. ``font`` counts from 0
    in the fonts given, and is -1 where none has the characters. ``script`` is an ISO 15924 code.
    """

    start: int
    end: int
    level: int
    script: str
    font: int


def itemise(text: str, fonts: Sequence[FontFile]) -> list[Run]:
    """Return the runs of ``text`` in logical order; together they cover all of it."""
    embedding = levels(text)
    scripts = {_script(character) for character in set(text)} - _INHERITED
    if len(scripts) == len(set(embedding)) == 1 and not fonts[0].lacks(text):
        return [Run(0, len(text), embedding[0], scripts.pop(), 0)]
    attributes = list(zip(embedding, _scripts(text), _fonts(text, fonts), strict=True))
    runs = []
    start = 0
    for (level, script, font), same in groupby(attributes):
        end = start + sum(1 for _ in same)
        runs.append(Run(start, end, level, script, font))
        start = end
    return runs


def in_visual_order(runs: Sequence[Run]) -> list[Run]:
    """Order runs from left to right as rule L2 of UAX #9 does."""
    if len(runs) == 1:
        return [*runs]
    ordered = list(runs)
    highest = max((run.level for run in runs), default=0)
    for level in range(highest, 0, -1):
        parts: list[Run] = []
        for deep, group in groupby(ordered, key=lambda run: run.level >= level):
            part = list(group)
            parts += reversed(part) if deep else part
        ordered = parts
    return ordered


def reads_right_to_left(text: str) -> bool:
    """Tell whether the first letter with a direction runs right to left (UAX #9, P2 and P3)."""
    return bool(uax9.get_base_level(text))


def levels(text: str) -> list[int]:
    """Return the embedding level of each character."""
    classes = {unicodedata.bidirectional(character) for character in text}
    if classes.isdisjoint(_RIGHT_TO_LEFT | {"AN"}):
        return [0] * len(text)
    if classes <= _NEEDS_NO_ALGORITHM and text == text.strip():
        return [1] * len(text)
    return list(_resolved(text))


def _resolved(text: str) -> Iterator[int]:
    # Invisible joiners are taken out by rule X9; each takes the level of what it follows.
    storage: dict[str, Any] = uax9.get_empty_storage()
    storage["base_level"] = uax9.get_base_level(text)
    storage["base_dir"] = "LR"[storage["base_level"]]
    uax9.get_embedding_levels(text, storage)
    uax9.explicit_embed_and_overrides(storage)
    uax9.resolve_weak_types(storage)
    resolve_brackets(storage["chars"], storage["base_level"])
    uax9.resolve_neutral_types(storage, debug=False)
    uax9.resolve_implicit_levels(storage, debug=False)
    kept = iter(storage["chars"])
    level = storage["base_level"]
    for character in text:
        if unicodedata.bidirectional(character) not in uax9.X9_REMOVED:
            level = next(kept)["level"]
        yield level


def _scripts(text: str) -> Iterator[str]:
    """Yield a script for each character; what scripts share takes the one it stands in."""
    own = [_script(character) for character in text]
    current = next((script for script in own if script not in _INHERITED), "Latn")
    for script in own:
        if script not in _INHERITED:
            current = script
        yield current


@cache
def _script(character: str) -> str:
    script: str = uax24.script(character)
    return script


def _fonts(text: str, fonts: Sequence[FontFile]) -> Iterator[int]:
    if not fonts[0].lacks(text):
        yield from [0] * len(text)
        return
    for start, end in combining_sequences(text):
        sequence = text[start:end]
        found = (index for index, font in enumerate(fonts) if not font.lacks(sequence))
        yield from [next(found, -1)] * (end - start)


def combining_sequences(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each letter with the marks and joiners that follow it."""
    start = 0
    for at in range(1, len(text)):
        if text[at] not in JOINERS and not unicodedata.category(text[at]).startswith("M"):
            yield start, at
            start = at
    if text:
        yield start, len(text)
