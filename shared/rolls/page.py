"""How a page of a roll looks: A4, forty rows of six millimetres, four columns.

Lengths are in points, counted from the lower left corner of the page.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from shared.rolls.fit import Block, fit
from shared.rolls.roll import ROWS_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rolls.fontfile import FontFile

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89
LEFT, RIGHT = 40.0, 555.28
ROW_HEIGHT = 17.0
HEAD_HEIGHT = 18.0
TABLE_TOP = 768.0
ROWS_TOP = TABLE_TOP - HEAD_HEIGHT
TITLE_MIDDLE = 798.0
SUBTITLE_MIDDLE = 779.0
HEADINGS_MIDDLE = TABLE_TOP - HEAD_HEIGHT / 2
FOOTER_MIDDLE = 49.0
PADDING = 5.0

# Column edges, and the columns between them.
EDGES = (LEFT, LEFT + 34, LEFT + 128, LEFT + 362, RIGHT)
NUMBER, ID, NAME, SIGNATURE = range(4)
HEADINGS = ("No.", "Voter ID", "Name", "Signature")

WIDTH = RIGHT - LEFT
NOTE_WIDTH = WIDTH - 90
TITLE_HEIGHT = 28.0

TEXT_SIZE = 9.0
NOTE_SIZE = 8.0
NOTE_SMALLEST = 6.0
FOOTER_NAME_HEIGHT = 20.0
TITLE_SIZE = 15.0

_RULE_GREY, _HEAD_GREY, _SHADE_GREY = 0.62, 0.86, 0.945
NOTE_GREY = 0.25


def cell_width(column: int) -> float:
    """Width that the text of a column may take."""
    return EDGES[column + 1] - EDGES[column] - 2 * PADDING


def row_middle(row: int) -> float:
    """Height of the middle of a row, counted from 0 at the top of the page."""
    return ROWS_TOP - (row + 0.5) * ROW_HEIGHT


def in_cell(text: str, column: int, fonts: Sequence[FontFile]) -> Block:
    """Lay out a text for a row of the table."""
    return fit(text, fonts, width=cell_width(column), height=ROW_HEIGHT - 2.5, size=TEXT_SIZE)


@lru_cache(maxsize=4096)
def label(text: str, font: FontFile, size: float) -> Block:
    """Lay out one of the texts that recur on every roll, such as a number."""
    return fit(text, (font,), width=WIDTH, height=size * 2, size=size)


@lru_cache(maxsize=ROWS_PER_PAGE)
def grid(rows: int) -> str:
    """Return the operators that draw shades and rules for so many rows."""
    bottom = ROWS_TOP - rows * ROW_HEIGHT
    parts = [f"{_HEAD_GREY} g {LEFT:g} {ROWS_TOP:g} {WIDTH:g} {HEAD_HEIGHT:g} re f"]
    parts.append(f"{_SHADE_GREY} g")
    for row in range(1, rows, 2):
        parts.append(f"{LEFT:g} {ROWS_TOP - (row + 1) * ROW_HEIGHT:g} {WIDTH:g} {ROW_HEIGHT:g} re")
    parts.append("f" if rows > 1 else "")
    parts.append(f"{_RULE_GREY} G 0.4 w")
    for row in range(rows + 1):
        y = ROWS_TOP - row * ROW_HEIGHT
        parts.append(f"{LEFT:g} {y:g} m {RIGHT:g} {y:g} l")
    for edge in EDGES:
        parts.append(f"{edge:g} {bottom:g} m {edge:g} {TABLE_TOP:g} l")
    parts.append(f"{LEFT:g} {TABLE_TOP:g} m {RIGHT:g} {TABLE_TOP:g} l S")
    return "\n".join(filter(None, parts))
