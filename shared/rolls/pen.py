"""PDF operators that show shaped lines (PDF 32000-1, 9.4 text objects)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.rolls.fit import LEADING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rolls.embed import EmbeddedFont
    from shared.rolls.fit import Block
    from shared.rolls.shape import Line, Span

# Middle of the capitals above the baseline, in letter sizes.
_MIDDLE = 0.36


class Pen:
    """Writes the text of one page; all positions in points from the lower left corner."""

    def __init__(self, fonts: Sequence[EmbeddedFont]) -> None:
        self._fonts = fonts
        self._operators: list[str] = []
        self._current: tuple[int, float] | None = None

    def operators(self) -> str:
        """Return everything written so far as one text object."""
        return "\n".join(["BT", *self._operators, "ET"])

    def colour(self, grey: float) -> None:
        """Set the grey of the letters that follow: 0 is black, 1 is white."""
        self._operators.append(f"{grey:g} g")

    def block(self, block: Block, x: float, middle: float, right: float | None = None) -> None:
        """Write lines about the height ``middle``, from ``x`` on or, if given, up to ``right``."""
        size = block.size
        last = len(block.lines) - 1
        for number, line in enumerate(block.lines):
            y = middle + (last / 2 - number) * LEADING * size - _MIDDLE * size
            self.line(line, x if right is None else right - line.width * size / 1000, y, size)

    def line(self, line: Line, x: float, y: float, size: float) -> None:
        """Write one line with its left end at ``x`` on the baseline ``y``."""
        write = self._operators.append
        write(f"1 0 0 1 {x:.2f} {y:.2f} Tm")
        for span in line.spans:
            if self._current != (span.font, size):
                self._current = (span.font, size)
                write(f"/{self._fonts[span.font].resource} {size:.4g} Tf")
            if span.placed is None:
                codes = self._fonts[span.font].codes
                write(f"<{''.join([codes[glyph] for glyph in span.glyphs])}>Tj")
            else:
                self._placed(span, size)

    def _placed(self, span: Span, size: float) -> None:
        font = self._fonts[span.font]
        write = self._operators.append
        parts: list[str] = []
        behind = rise = 0.0  # how far the pen is left of where it should be; the rise in force
        for glyph, (advance, x, y) in zip(span.glyphs, span.placed or (), strict=True):
            if y != rise:
                if parts:
                    write(f"[{''.join(parts)}]TJ")
                    parts = []
                write(f"{y * size / 1000:.3f} Ts")
                rise = y
            if kern := round(behind + x):
                parts.append(f"{-kern}")
            parts.append(f"<{font.codes[glyph]}>")
            behind += advance - kern - font.widths[glyph[0]]
        if end := round(behind):
            parts.append(f"{-end}")
        write(f"[{''.join(parts)}]TJ")
        if rise:
            write("0 Ts")
