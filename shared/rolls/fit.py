"""Make a text fit its cell without losing any of it: smaller letters first, then more lines."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from shared.rolls.itemise import combining_sequences
from shared.rolls.shape import Line, shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.rolls.fontfile import FontFile

LEADING = 1.2
"""Distance between baselines, in letter sizes."""
SMALLEST = 3.0
"""Points; below this a printed text is a line of dust, and the cell is said to be too small."""

# One line is kept down to this share of the wanted size before a second line is tried.
_COMFORTABLE = 0.8
# Words are kept whole down to this size in points; below it, breaking them reads better.
_WHOLE_WORDS = 4.0
_MOST_LINES = 4


class NoRoom(Exception):  # noqa: N818 - caught and turned into UnprintableText, never shown
    """The text does not fit even in the smallest letters; the caller knows whose text it is."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one size, in points."""

    lines: tuple[Line, ...]
    size: float

    @property
    def right_to_left(self) -> bool:
        """Whether the text starts at the right; its first line tells."""
        return bool(self.lines) and self.lines[0].right_to_left


def fit(text: str, fonts: Sequence[FontFile], *, width: float, height: float, size: float) -> Block:
    """Lay out ``text`` in a cell, all lengths in points, in letters of at most ``size``.

    Raises NoFont for characters that no font has, and NoRoom for an endless text.
    """
    line = shape(text, fonts)
    if line.width * size <= width * 1000:
        return Block((line,), size)
    best = _sized((line,), width, height, size)
    if best.size < size * _COMFORTABLE:
        words = list(_words(text))
        best = _largest(best, words, fonts, width, height, size)
        if best.size < _WHOLE_WORDS:
            letters = [(start, end) for start, end in combining_sequences(text)]
            best = _largest(best, [text[a:b] for a, b in letters], fonts, width, height, size)
    if best.size < SMALLEST:
        raise NoRoom
    return best


def fit_line(line: Line, *, width: float, size: float) -> Block:
    """Make one line small enough for ``width`` points. Raises NoRoom for an endless one."""
    block = _sized((line,), width, size * LEADING, size)
    if block.size < SMALLEST:
        raise NoRoom
    return block


def _largest(
    best: Block,
    units: Sequence[str],
    fonts: Sequence[FontFile],
    width: float,
    height: float,
    size: float,
) -> Block:
    """Return the block with the largest letters among ``best`` and two or more lines of units."""
    widths = [shape(unit, fonts).width for unit in units]
    for count in range(2, min(_MOST_LINES, len(units)) + 1):
        parts = ["".join(units[a:b]).strip() for a, b in _balanced(widths, count)]
        lines = tuple(shape(part, fonts) for part in parts if part)
        tried = _sized(lines, width, height, size)
        if tried.size > best.size:
            best = tried
    return best


def _sized(lines: tuple[Line, ...], width: float, height: float, size: float) -> Block:
    widest = max(line.width for line in lines)
    tallest = height / (len(lines) * LEADING)
    return Block(lines, min(size, tallest, width * 1000 / widest))


def _words(text: str) -> Iterator[str]:
    """Cut after spaces and hyphens; joined together again, the words are the text."""
    cuts = [at + 1 for at, character in enumerate(text[:-1]) if character in " -"]
    for start, end in pairwise((0, *cuts, len(text))):
        yield text[start:end]


def _balanced(widths: Sequence[float], count: int) -> list[tuple[int, int]]:
    """Cut a sequence of widths into at most ``count`` lines whose widest is as narrow as can be."""
    low, high = max(widths), sum(widths)
    while high - low > 1:
        middle = (low + high) / 2
        if len(_filled(widths, middle)) <= count:
            high = middle
        else:
            low = middle
    return _filled(widths, high)


def _filled(widths: Sequence[float], limit: float) -> list[tuple[int, int]]:
    lines, start, used = [], 0, 0.0
    for at, width in enumerate(widths):
        if at > start and used + width > limit:
            lines.append((start, at))
            start, used = at, 0.0
        used += width
    return [*lines, (start, len(widths))]
