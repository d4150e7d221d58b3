"""Voter rolls as PDF: one station's voters in, one file out. Knows no database."""

from shared.rolls.errors import BadFont, MissingGlyph, UnprintableText
from shared.rolls.roll import ROWS_PER_PAGE, Roll, RollEntry, WrittenRoll, page_count
from shared.rolls.write import write_roll

__all__ = [
    "ROWS_PER_PAGE",
    "BadFont",
    "MissingGlyph",
    "Roll",
    "RollEntry",
    "UnprintableText",
    "WrittenRoll",
    "page_count",
    "write_roll",
]
