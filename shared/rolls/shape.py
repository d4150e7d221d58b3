"""From text to positioned glyphs, by HarfBuzz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import uharfbuzz as hb  # type: ignore[import-untyped]  # compiled module without type stubs

from shared.rolls.itemise import in_visual_order, itemise, reads_right_to_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rolls.fontfile import FontFile
    from shared.rolls.itemise import Run

# What a script needs, its font does unasked. Kerning and ligatures are no need in these three, and
# without them nearly every name is set from a table of widths, many times as fast.
_SIMPLE_SCRIPTS = frozenset({"Latn", "Grek", "Cyrl"})
_SIMPLE_FEATURES = {"kern": False, "liga": False, "clig": False}


class NoFont(Exception):  # noqa: N818 - caught and turned into MissingGlyph, never shown
    """No font has these characters; the caller knows whose text it is."""

    def __init__(self, characters: str) -> None:
        super().__init__(characters)
        self.characters = characters


@dataclass(frozen=True, slots=True)
class Span:
    """Glyphs of one font from left to right; lengths in thousandths of an em.

    A glyph is its id in the font and the text it stands for, which is what copying or searching
    the page finds: empty for all but one glyph of a cluster. ``placed`` holds for each glyph the
    advance of the pen and the glyph's shift from it, to the right and upwards; it is None where
    every glyph has its own width and no shift, as in most names.
    """

    font: int
    glyphs: tuple[tuple[int, str], ...]
    placed: tuple[tuple[float, float, float], ...] | None
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text from left to right; ``width`` in thousandths of an em."""

    spans: tuple[Span, ...]
    width: float
    right_to_left: bool


def shape(text: str, fonts: Sequence[FontFile]) -> Line:
    """Shape a printable text. Raises NoFont with the characters that no font has."""
    if simple := _shape_simple(text, fonts[0]):
        return simple
    runs = itemise(text, fonts)
    missing = "".join(_uncovered(text, run, fonts) for run in runs if run.font < 0)
    if missing:
        raise NoFont(missing)
    spans = tuple(_shape_run(text, run, fonts[run.font]) for run in in_visual_order(runs))
    width = sum(span.width for span in spans)
    return Line(spans, width, reads_right_to_left(text))


def _shape_simple(text: str, font: FontFile) -> Line | None:
    """Set from a table what needs no shaper, as nearly all names of most rolls; else None."""
    try:
        glyphs = tuple(map(font.simple_glyphs.__getitem__, text))
    except KeyError:
        return None
    width = sum(map(font.simple_widths.__getitem__, text)) * 1000 / font.units_per_em
    return Line((Span(0, glyphs, None, width),), width, right_to_left=False)


def _uncovered(text: str, run: Run, fonts: Sequence[FontFile]) -> str:
    part = text[run.start : run.end]
    nowhere = "".join(c for c in part if all(font.lacks(c) for font in fonts))
    return nowhere or part  # each is somewhere, but no font has the whole sequence


def _shape_run(text: str, run: Run, font: FontFile) -> Span:
    buffer = hb.Buffer()
    buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_CHARACTERS
    buffer.flags = hb.BufferFlags.REMOVE_DEFAULT_IGNORABLES
    # The whole text goes along, so that letters join across a change of font.
    buffer.add_str(text, run.start, run.end - run.start)
    buffer.direction = "rtl" if run.level % 2 else "ltr"
    buffer.script = run.script
    # No language is set, nor guessed: the machine's locale must not choose the letter forms.
    hb.shape(font.font, buffer, _SIMPLE_FEATURES if run.script in _SIMPLE_SCRIPTS else {})
    infos, positions = buffer.glyph_infos, buffer.glyph_positions
    ids = [info.codepoint for info in infos]
    texts = _cluster_texts(text, run, [info.cluster for info in infos])
    # HarfBuzz gives x offset, y offset, x advance, y advance.
    placed = [each.position for each in positions]
    scale = 1000 / font.units_per_em
    advances = font.advances
    width = sum([each[2] for each in placed]) * scale
    glyphs = tuple(zip(ids, texts, strict=True))
    if placed == [(0, 0, advances[glyph], 0) for glyph in ids]:
        return Span(run.font, glyphs, None, width)
    shifts = tuple((advance * scale, x * scale, y * scale) for x, y, advance, _ in placed)
    return Span(run.font, glyphs, shifts, width)


def _cluster_texts(text: str, run: Run, clusters: list[int]) -> Sequence[str]:
    """Return the characters behind each glyph; a cluster of several gives them to its first."""
    if clusters == list(range(run.start, run.end)):
        return text[run.start : run.end]
    if clusters == list(range(run.end - 1, run.start - 1, -1)):
        return text[run.start : run.end][::-1]
    starts = sorted({run.start, *clusters})
    ends = dict(zip(starts, [*starts[1:], run.end], strict=True))
    texts = []
    for cluster in clusters:
        # Once taken, the text is gone for the other glyphs of the cluster.
        end = ends.pop(cluster, cluster)
        texts.append(text[cluster:end])
    return texts


def join(*lines: Line) -> Line:
    """Set lines side by side, each keeping its own direction, the first at the left."""
    spans = tuple(span for line in lines for span in line.spans)
    return Line(spans, sum(line.width for line in lines), right_to_left=False)
