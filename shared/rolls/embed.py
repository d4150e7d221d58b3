"""Fonts inside a PDF file: glyph codes, the cut-out font program, and the way back to text.

Reportlab's own TrueType support maps characters to glyphs and keeps what shaping adds in the
process: bytes would depend on what was printed before, and copied Arabic would come out as
presentation forms. Here a code stands for a glyph and the text it came from, counted anew in
each file (PDF 32000-1, 9.7 on composite fonts and 9.10 on the extraction of text).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reportlab.pdfbase import pdfdoc

if TYPE_CHECKING:
    from shared.rolls.fontfile import FontFile

# A ToUnicode block may hold a hundred entries at most (Adobe technical note 5411).
_CMAP_BLOCK = 100
_SYMBOLIC = 4


class Codes(dict[tuple[int, str], str]):
    """Four hexadecimal digits for each glyph and its text, given out in order of first use."""

    def __missing__(self, glyph: tuple[int, str]) -> str:
        code = self[glyph] = f"{len(self) + 1:04x}"
        return code


class EmbeddedFont:
    """One font in one file: collects the glyphs used, then writes itself."""

    def __init__(self, font: FontFile, resource: str) -> None:
        self.font = font
        self.resource = resource
        self.codes = Codes()
        self.widths = font.pdf_widths

    def add_to(self, document: pdfdoc.PDFDocument) -> None:
        """Add the font's objects to the file, if any of its glyphs is used."""
        if not self.codes:
            return
        glyphs = [glyph for glyph, _ in self.codes]
        program, new_ids = self.font.subset(glyphs)
        tag = hashlib.sha256(program).hexdigest()[:6].translate(_LETTERS)
        name = pdfdoc.PDFName(f"{tag}+{self.font.postscript_name}")
        mapping = b"".join(new_ids[glyph].to_bytes(2, "big") for glyph in [0, *glyphs])
        descriptor = pdfdoc.PDFDictionary(
            {
                "Type": pdfdoc.PDFName("FontDescriptor"),
                "FontName": name,
                "Flags": _SYMBOLIC,
                "FontFile2": document.Reference(_stream(program, Length1=len(program))),
                **{key: _value(value) for key, value in self.font.metrics.items()},
            }
        )
        descendant = pdfdoc.PDFDictionary(
            {
                "Type": pdfdoc.PDFName("Font"),
                "Subtype": pdfdoc.PDFName("CIDFontType2"),
                "BaseFont": name,
                "CIDSystemInfo": pdfdoc.PDFDictionary(
                    {
                        "Registry": pdfdoc.PDFString("Adobe"),
                        "Ordering": pdfdoc.PDFString("Identity"),
                        "Supplement": 0,
                    }
                ),
                "FontDescriptor": document.Reference(descriptor),
                "CIDToGIDMap": document.Reference(_stream(mapping)),
                "W": f"[1 [{' '.join(str(self.widths[glyph]) for glyph in glyphs)}]]",
            }
        )
        whole = pdfdoc.PDFDictionary(
            {
                "Type": pdfdoc.PDFName("Font"),
                "Subtype": pdfdoc.PDFName("Type0"),
                "BaseFont": name,
                "Encoding": pdfdoc.PDFName("Identity-H"),
                "DescendantFonts": pdfdoc.PDFArray([document.Reference(descendant)]),
                "ToUnicode": document.Reference(_stream(_to_unicode(self.codes))),
            }
        )
        fonts = document.idToObject["BasicFonts"]
        fonts[self.resource] = document.Reference(whole)


# Subset tags are six capital letters (PDF 32000-1, 9.6.4).
_LETTERS = str.maketrans("0123456789abcdef", "ABCDEFGHIJKLMNOP")


def _value(value: int | list[int]) -> int | pdfdoc.PDFArray:
    return pdfdoc.PDFArray(value) if isinstance(value, list) else value


def _stream(content: bytes, **entries: int) -> pdfdoc.PDFStream:
    return pdfdoc.PDFStream(pdfdoc.PDFDictionary(entries), content, filters=[pdfdoc.PDFZCompress])


def _to_unicode(codes: Codes) -> bytes:
    # Empty texts are written as well: a code that is not in the map would be read as itself.
    entries = [f"<{code}> <{text.encode('utf-16-be').hex()}>" for (_, text), code in codes.items()]
    blocks = []
    for start in range(0, len(entries), _CMAP_BLOCK):
        block = entries[start : start + _CMAP_BLOCK]
        blocks += [f"{len(block)} beginbfchar", *block, "endbfchar"]
    return "\n".join([*_CMAP_HEAD, *blocks, *_CMAP_TAIL]).encode("ascii")


_CMAP_HEAD = (
    "/CIDInit /ProcSet findresource begin",
    "12 dict begin",
    "begincmap",
    "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
    "/CMapName /Adobe-Identity-UCS def",
    "/CMapType 2 def",
    "1 begincodespacerange",
    "<0000> <ffff>",
    "endcodespacerange",
)
_CMAP_TAIL = ("endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end")
