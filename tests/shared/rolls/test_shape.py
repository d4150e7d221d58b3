from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fontTools.ttLib import TTFont
from hypothesis import example, given
from hypothesis import strategies as st

from shared.rolls import shape as shaping
from shared.rolls import write_roll
from shared.rolls.fontfile import BUILT_IN, load_fonts
from shared.rolls.shape import Line, NoFont, join, shape
from shared.rolls.text import printable
from tests.shared.rolls.fonts import make_font
from tests.shared.rolls.reading import roll_of, shown_lines

if TYPE_CHECKING:
    from pathlib import Path

FONTS = load_fonts([])
GLYPH_NAMES = TTFont(BUILT_IN).getGlyphOrder()


def glyph_names(line: Line) -> list[str]:
    return [GLYPH_NAMES[glyph] for span in line.spans for glyph, _ in span.glyphs]


def texts(line: Line) -> list[str]:
    return [text for span in line.spans for _, text in span.glyphs]


def test_arabic_letters_take_the_form_of_their_place_from_right_to_left() -> None:
    line = shape("محمد", FONTS)

    assert line.right_to_left
    # Last letter first: dal final, mim medial, ha medial, mim initial.
    assert glyph_names(line) == ["uniFEAA", "uniFEE4", "uniFEA4", "uniFEE3"]


def test_lam_and_alef_become_one_glyph_that_stands_for_both() -> None:
    line = shape("لا", FONTS)

    assert glyph_names(line) == ["uniFEFB"]
    assert texts(line) == ["لا"]


def test_a_zero_width_non_joiner_parts_letters_and_leaves_no_glyph() -> None:
    joined = glyph_names(shape("مین", FONTS))
    parted = glyph_names(shape("می\u200cن", FONTS))

    assert len(joined) == len(parted) == 3
    assert joined != parted


def test_vowel_signs_are_placed_on_their_letters() -> None:
    line = shape("مُ", FONTS)

    (span,) = line.spans
    assert span.placed is not None
    (sign_advance, _, _), (letter_advance, _, _) = span.placed
    assert sign_advance == 0
    assert line.width == letter_advance


def test_an_accent_without_a_composed_letter_is_placed_above() -> None:
    line = shape("q\u0303", FONTS)

    (span,) = line.spans
    assert [text for _, text in span.glyphs] == ["q", "\u0303"]
    assert span.placed is not None
    assert span.placed[1][0] == 0
    assert span.placed[1][1] != 0


@pytest.mark.parametrize("name", ["q\u0303Q\u0303", "مُحَمَّدٌ بْنُ عَبْدِ اللَّهِ"])
def test_marks_are_drawn_where_harfbuzz_puts_them(tmp_path: Path, name: str) -> None:
    line = shape(name, FONTS)
    scale = 9 / 1000
    expected = []
    pen = 0.0
    for span in line.spans:
        assert span.placed is not None
        for (_, text), (advance, x, y) in zip(span.glyphs, span.placed, strict=True):
            expected.append((text, pen + x * scale, y * scale))
            pen += advance * scale

    written = write_roll(roll_of(name, "Ann"), tmp_path / "roll.pdf")

    lines = {each.text: each for each in shown_lines(written.path)}
    shown = lines["".join(texts(line))]
    for (text, x, y), (expected_text, expected_x, expected_y) in zip(
        shown.glyphs, expected, strict=True
    ):
        assert text == expected_text
        assert x == pytest.approx(expected_x, abs=0.02)
        assert y == pytest.approx(expected_y, abs=0.001)
    assert shown.right - shown.left == pytest.approx(line.width * scale, abs=0.02)
    assert all(y == 0 for _, _, y in lines["Ann"].glyphs)


def test_mixed_directions_are_set_in_visual_order() -> None:
    line = shape("محمد Smith (Jr)", FONTS)

    assert "".join(texts(line)) == "Smith (Jr)" + " " + "دمحم"


SIMPLE = FONTS[0].simple_glyphs
# Composition may lead out of the table: the Greek numeral sign is a Latin prime in NFC.
simple_texts = st.text(st.sampled_from(sorted(SIMPLE)), min_size=1, max_size=20)
simple_texts = simple_texts.map(printable).filter(lambda text: text and SIMPLE.keys() >= set(text))


@given(simple_texts)
@example("".join(sorted(SIMPLE)))
@example("AVATO fi ffl Łódź")
@example("ΆΣΩ ϊΐ")
@example("Їжак Ёлка")
def test_the_table_of_simple_letters_agrees_with_harfbuzz(text: str) -> None:
    by_table = shape(text, FONTS)

    original = shaping._shape_simple
    try:
        shaping._shape_simple = lambda *_: None
        by_harfbuzz = shape(text, FONTS)
    finally:
        shaping._shape_simple = original
    (span,) = by_table.spans
    assert list(span.glyphs) == [glyph for each in by_harfbuzz.spans for glyph in each.glyphs]
    assert all(each.placed is None for each in by_harfbuzz.spans)
    assert by_table.width == pytest.approx(by_harfbuzz.width)


def test_the_first_font_that_has_a_letter_with_its_accents_sets_them(tmp_path: Path) -> None:
    without_accent = make_font(tmp_path / "a.ttf", "王")
    with_accent = make_font(tmp_path / "b.ttf", "王\u0301")
    fonts = load_fonts([without_accent, with_accent])

    line = shape("A王B王\u0301", fonts)

    assert [(span.font, [text for _, text in span.glyphs]) for span in line.spans] == [
        (0, ["A"]),
        (1, ["王"]),
        (0, ["B"]),
        (2, ["王", "\u0301"]),
    ]


def test_characters_without_a_font_are_named() -> None:
    with pytest.raises(NoFont) as raised:
        shape("Ann 王 王 म", FONTS)

    assert raised.value.characters == "王王म"


def test_joined_lines_keep_their_own_direction() -> None:
    line = join(shape("محمد", FONTS), shape(" (12)", FONTS))

    assert "".join(texts(line)) == "دمحم" + " (12)"
    assert line.width == shape("محمد", FONTS).width + shape(" (12)", FONTS).width
