"""TrueType files as HarfBuzz sees them: what they cover, how wide, and their subsets."""

from __future__ import annotations

import re
import struct
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uharfbuzz as hb  # type: ignore[import-untyped]  # compiled module without type stubs
from fontTools.ttLib import TTLibError  # type: ignore[import-untyped]  # no stubs
from fontTools.ttLib.sfnt import SFNTReader  # type: ignore[import-untyped]  # no stubs

from shared.rolls.errors import BadFont

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BUILT_IN = Path(__file__).with_name("fonts") / "DejaVuSansCondensed.ttf"
"""The face of every roll: Latin, Greek, Cyrillic, Arabic and more under a free licence."""

# All that a viewer needs of a CIDFontType2 program (PDF 32000-1, 9.9, table 126). Hints are left
# out: rolls are printed, and at a printer's resolution nobody can tell.
_KEPT_TABLES = frozenset({"glyf", "head", "hhea", "hmtx", "loca", "maxp"})
_SIMPLE = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u024f\u0370-\u0482\u048a-\u052f\u1e00-\u1fff]")
# OS/2 fsType, bit 1: "Restricted License embedding".
_EMBEDDING_FORBIDDEN = 0x0002


@dataclass(frozen=True, eq=False)
class FontFile:
    """One TrueType face, loaded once per process and never changed after that."""

    path: Path
    postscript_name: str
    face: Any
    font: Any

    @cached_property
    def units_per_em(self) -> int:
        """Font units in one em; widths and positions are counted in them."""
        return int(self.face.upem)

    @cached_property
    def coverage(self) -> frozenset[str]:
        """The characters with a glyph of their own."""
        return frozenset(map(chr, self.face.unicodes))

    @cached_property
    def advances(self) -> tuple[int, ...]:
        """Advance width of every glyph, by glyph id."""
        advance = self.font.get_glyph_h_advance
        return tuple(advance(glyph) for glyph in range(self.face.glyph_count))

    @cached_property
    def pdf_widths(self) -> tuple[int, ...]:
        """Advances in thousandths of an em, as a PDF file counts them."""
        scale = 1000 / self.units_per_em
        return tuple(round(advance * scale) for advance in self.advances)

    @cached_property
    def simple_glyphs(self) -> dict[str, tuple[int, str]]:
        """Glyph and text of each letter that stands by itself: no joining, marks or reordering.

        Composed letters of Latin, Greek and Cyrillic are so, as long as they are not kerned.
        """
        return {
            character: (self.font.get_nominal_glyph(ord(character)), character)
            for character in self.coverage
            if _SIMPLE.fullmatch(character)
        }

    @cached_property
    def simple_widths(self) -> dict[str, int]:
        """Advance widths of the letters of ``simple_glyphs``."""
        return {char: self.advances[glyph] for char, (glyph, _) in self.simple_glyphs.items()}

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The entries of a PDF font descriptor, in thousandths of an em."""
        head, hhea = self.face.reference_table("head").data, self.face.reference_table("hhea").data
        scale = 1000 / self.units_per_em
        ascent, descent = _signed(hhea, 4), _signed(hhea, 6)
        return {
            "Ascent": round(ascent * scale),
            "Descent": round(descent * scale),
            # Viewers use it only to choose a substitute, which an embedded font needs not.
            "CapHeight": round(ascent * scale),
            "ItalicAngle": 0,
            # TrueType does not record the stem width; 80 is the customary value for a text face.
            "StemV": 80,
            "FontBBox": [round(_signed(head, at) * scale) for at in (36, 38, 40, 42)],
        }

    def lacks(self, text: str) -> str:
        """Return the characters of ``text`` that have no glyph, composed or taken apart."""
        if self.coverage.issuperset(text):
            return ""
        return "".join(
            character
            for character in dict.fromkeys(text)
            if not self.coverage.issuperset(unicodedata.normalize("NFD", character))
            and character not in self.coverage
        )

    def subset(self, glyphs: Iterable[int]) -> tuple[bytes, dict[int, int]]:
        """Cut out a font program with these glyphs; also return old glyph id -> new glyph id."""
        wanted = hb.SubsetInput()
        wanted.glyph_set.update(glyphs)
        wanted.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE
        # The table set takes tags as 32-bit numbers.
        wanted.drop_table_tag_set.update(
            int.from_bytes(tag.encode("ascii"), "big")
            for tag in self.face.table_tags
            if tag not in _KEPT_TABLES
        )
        plan = hb.SubsetPlan(self.face, wanted)
        return plan.execute().blob.data, dict(plan.old_to_new_glyph_mapping)


def load_fonts(paths: Sequence[Path]) -> tuple[FontFile, ...]:
    """Return the built-in font followed by the named ones, in the order in which they are tried.

    Raises BadFont for the first file that cannot be used.
    """
    return tuple(_load(path, _stamp(path)) for path in (BUILT_IN, *paths))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise BadFont(f"font {path}: {error.strerror}; check the ROLL_FONTS setting") from error


@lru_cache(maxsize=32)
def _load(path: Path, stamp: int) -> FontFile:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFont(f"font {path}: {error.strerror}; check the ROLL_FONTS setting") from error
    _check(data, path)
    face = hb.Face(data)
    return FontFile(path, _postscript_name(face, path), face, hb.Font(face))


def _check(data: bytes, path: Path) -> None:
    """Raise BadFont unless these are the bytes of a whole TrueType font that may be embedded."""
    try:
        tables = SFNTReader(BytesIO(data), fontNumber=0).tables
    except (TTLibError, struct.error) as error:
        raise BadFont(f"font {path}: not a TrueType font; check the ROLL_FONTS setting") from error
    if absent := sorted({*_KEPT_TABLES, "cmap"} - {*tables}):
        outlines = " (its outlines are PostScript)" if tables.keys() & {"CFF ", "CFF2"} else ""
        raise BadFont(
            f"font {path}: not a TrueType font, it lacks the tables {', '.join(absent)}{outlines}; "
            "name another in ROLL_FONTS"
        )
    # HarfBuzz would take a cut off file, and print blanks for the letters that are gone.
    if any(entry.offset + entry.length > len(data) for entry in tables.values()):
        raise BadFont(f"font {path}: the file is cut off; fetch it again")
    if "OS/2" in tables:
        start = tables["OS/2"].offset
        if _signed(data, start + 8) & _EMBEDDING_FORBIDDEN:
            raise BadFont(
                f"font {path}: its licence bits forbid embedding; name another in ROLL_FONTS"
            )


def _postscript_name(face: Any, path: Path) -> str:
    """PDF names are ASCII without delimiters; a name table may hold anything."""
    name = face.get_name(hb.OTNameIdPredefined.POSTSCRIPT_NAME) or path.stem
    return "".join(c for c in name if c.isascii() and (c.isalnum() or c in "-_")) or "Font"


def _signed(table: bytes, at: int) -> int:
    return int.from_bytes(table[at : at + 2], "big", signed=True)
