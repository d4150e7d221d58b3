"""Read printed rolls back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pypdf import PdfReader

from shared.rolls import Roll, RollEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def roll_of(*names: str, center_name: str = "City Hall") -> Roll:
    """Make a roll of these names; voter ids are V1, V2 and so on."""
    entries = [RollEntry(f"V{number}", name) for number, name in enumerate(names, 1)]
    return Roll("C7", center_name, "C7-1", entries)


def page_texts(path: Path) -> list[str]:
    """Return the text of each page, as copying from a viewer would give it."""
    return [page.extract_text() for page in PdfReader(path).pages]


def printed_rows(texts: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return number, voter id and name of each printed line."""
    found = re.findall(r"^(\d+) (V\d+) (.+)$", "\n".join(texts), flags=re.MULTILINE)
    return [(int(number), voter_id, name.strip()) for number, voter_id, name in found]


@dataclass(slots=True)
class ShownLine:
    """A line as the page shows it: text from left to right, lengths in points.

    ``glyphs`` are the places of the single glyphs, to the right and above the line's start.
    """

    text: str
    left: float
    right: float
    baseline: float
    size: float
    glyphs: list[tuple[str, float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PrintedFont:
    """What a viewer knows of a font, by glyph code; widths in thousandths of the letter size."""

    letters: dict[int, str]
    widths: dict[int, int]


def fonts_of(path: Path) -> dict[str, Any]:
    """Return the font dictionaries of a file by resource name."""
    return {
        name: font.get_object()
        for page in PdfReader(path).pages
        for name, font in page["/Resources"]["/Font"].items()
    }


def printed_font(font: Any) -> PrintedFont:
    """Read the letters from the ToUnicode map and the widths from the descendant font."""
    lines = font["/ToUnicode"].get_data().decode("ascii").splitlines()
    pairs = [line.split() for line in lines if re.fullmatch(r"<\w{4}> <(\w{4})*>", line)]
    letters = {
        int(code[1:-1], 16): bytes.fromhex(text[1:-1]).decode("utf-16-be")
        for code, text in pairs
        if code != "<0000>"
    }
    first, widths = font["/DescendantFonts"][0].get_object()["/W"]
    return PrintedFont(letters, dict(enumerate(map(int, widths), int(first))))


def shown_lines(path: Path, page: int = 0) -> list[ShownLine]:
    """Follow the text operators of a page as a viewer does."""
    contents = PdfReader(path).pages[page].get_contents()
    assert contents is not None
    fonts = {name: printed_font(font) for name, font in fonts_of(path).items()}
    font, size, rise = PrintedFont({}, {}), 0.0, 0.0
    lines: list[ShownLine] = []
    for operands, operator in contents.operations:
        if operator == b"Tm":
            x, y = float(operands[4]), float(operands[5])
            lines.append(ShownLine("", x, x, y, 0.0))
        elif operator == b"Tf":
            font, size = fonts[operands[0]], float(operands[1])
        elif operator == b"Ts":
            rise = float(operands[0])
        elif operator in (b"Tj", b"TJ"):
            line = lines[-1]
            line.size = size
            for part in operands[0] if operator == b"TJ" else operands:
                if isinstance(part, (int, float)):
                    line.right -= float(part) * size / 1000
                    continue
                raw = part.original_bytes
                for at in range(0, len(raw), 2):
                    code = int.from_bytes(raw[at : at + 2], "big")
                    text = font.letters.get(code, "")
                    line.text += text
                    line.glyphs.append((text, line.right - line.left, rise))
                    line.right += font.widths[code] * size / 1000
    return lines
