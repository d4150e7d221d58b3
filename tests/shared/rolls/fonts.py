"""Make small TrueType fonts, so that no test depends on what a machine has installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

if TYPE_CHECKING:
    from pathlib import Path


def make_font(path: Path, characters: str, *, width: int = 1000, fs_type: int = 0) -> Path:
    """Write a font in which each of the characters is a box of a height of its own."""
    names = [".notdef", *(f"uni{ord(character):04X}" for character in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, characters), names[1:], strict=True)))
    builder.setupGlyf({name: _box(300 + 50 * at) for at, name in enumerate(names)})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (width, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular", "psName": "Boxes"})
    builder.setupOS2(fsType=fs_type)
    builder.setupPost()
    # The time of making would differ in each run.
    builder.font.recalcTimestamp = False
    builder.font["head"].created = builder.font["head"].modified = 0
    builder.save(path)
    return path


def _box(height: int) -> object:
    pen = TTGlyphPen(None)
    for at, point in enumerate([(0, 0), (0, height), (500, height), (500, 0)]):
        (pen.lineTo if at else pen.moveTo)(point)
    pen.closePath()
    return pen.glyph()
