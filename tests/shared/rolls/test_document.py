from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from shared.models import MAX_ID, MAX_NAME
from shared.rolls import Roll, RollEntry, page, write_roll
from shared.rolls.fit import SMALLEST
from shared.rolls.fontfile import BUILT_IN
from tests.shared.rolls.fonts import make_font
from tests.shared.rolls.reading import (
    fonts_of,
    page_texts,
    printed_font,
    printed_rows,
    roll_of,
    shown_lines,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_every_font_is_embedded_and_cut_to_what_is_used(tmp_path: Path) -> None:
    han = make_font(tmp_path / "han.ttf", "王小")

    written = write_roll(roll_of("Ann 王", "Шевченко"), tmp_path / "roll.pdf", fonts=[han])

    fonts = [font for _, font in sorted(fonts_of(written.path).items())]
    assert [font["/BaseFont"].partition("+")[2] for font in fonts] == [
        "DejaVuSansCondensed",
        "Boxes",
    ]
    for font in fonts:
        (descendant,) = font["/DescendantFonts"]
        program = descendant.get_object()["/FontDescriptor"]["/FontFile2"].get_data()
        glyphs = TTFont(BytesIO(program))["maxp"].numGlyphs
        # .notdef comes along always, and parts of composed glyphs with them.
        assert len(printed_font(font).letters) < glyphs < 100


def test_fonts_that_are_not_used_stay_out(tmp_path: Path) -> None:
    han = make_font(tmp_path / "han.ttf", "王小")

    with_font = write_roll(roll_of("Ann"), tmp_path / "a.pdf", fonts=[han])
    without = write_roll(roll_of("Ann"), tmp_path / "b.pdf")

    assert with_font.sha256 == without.sha256


def test_codes_lead_to_the_outlines_and_widths_of_their_letters(tmp_path: Path) -> None:
    written = write_roll(roll_of("Ann Müller Шевченко"), tmp_path / "roll.pdf")

    (font,) = fonts_of(written.path).values()
    descendant = font["/DescendantFonts"][0].get_object()
    mapping = descendant["/CIDToGIDMap"].get_data()
    cut = TTFont(BytesIO(descendant["/FontDescriptor"]["/FontFile2"].get_data()))
    whole = TTFont(BUILT_IN)
    printed = printed_font(font)
    assert set("Ann Müller Шевченко") <= set(printed.letters.values())
    for code, letter in printed.letters.items():
        glyph = cut.getGlyphOrder()[int.from_bytes(mapping[2 * code : 2 * code + 2], "big")]
        original = whole.getBestCmap()[ord(letter)]
        assert (
            cut["glyf"][glyph].getCoordinates(cut["glyf"])[0]
            == whole["glyf"][original].getCoordinates(whole["glyf"])[0]
        )
        assert printed.widths[code] == round(whole["hmtx"][original][0] * 1000 / 2048)


NAME_LEFT = page.EDGES[page.NAME] + page.PADDING
NAME_RIGHT = page.EDGES[page.SIGNATURE] - page.PADDING
# Whole thousandths of an em for each of two hundred letters.
ROUNDING = 0.5


@pytest.mark.parametrize("name", ["W" * 200, "Wilhelmina " * 18, "عبد الرحمن " * 18, "ж" * 200])
def test_long_names_stay_in_their_cell(tmp_path: Path, name: str) -> None:
    written = write_roll(roll_of("Ann", name, "Ann"), tmp_path / "roll.pdf")

    lines = [line for line in shown_lines(written.path) if len(line.text) > 30 and line.size < 7]
    assert sorted("".join(line.text for line in lines).replace(" ", "")) == sorted(
        name.replace(" ", "")
    )
    for line in lines:
        assert line.left >= NAME_LEFT - ROUNDING
        assert line.right <= NAME_RIGHT + ROUNDING
        assert abs(line.baseline - page.row_middle(1)) < page.ROW_HEIGHT / 2
    assert all(
        line.right < page.EDGES[page.SIGNATURE]
        for line in shown_lines(written.path)
        if page.row_middle(3) < line.baseline < page.ROWS_TOP
    )


def test_lines_of_a_long_name_follow_one_another_downwards(tmp_path: Path) -> None:
    name = "Maria del Carmen Josefina Guadalupe Concepcion Fernandez de la Vega y Gutierrez Solana"

    written = write_roll(roll_of(name), tmp_path / "roll.pdf")

    first, second = [line for line in shown_lines(written.path) if line.text and line.size < 7]
    assert f"{first.text} {second.text}" == name
    assert first.baseline > second.baseline


def test_a_letter_of_several_glyphs_is_found_once(tmp_path: Path) -> None:
    parts = make_font(tmp_path / "parts.ttf", "\u1112\u1161\u11ab")

    written = write_roll(roll_of("Ann \ud55c"), tmp_path / "roll.pdf", fonts=[parts])

    assert printed_rows(page_texts(written.path)) == [(1, "V1", "Ann \ud55c")]
    letters = printed_font(fonts_of(written.path)["/F1"]).letters
    assert [text for text in letters.values() if text] == ["\ud55c"]
    assert len(printed_font(fonts_of(written.path)["/F1"]).widths) == 3


def test_different_rolls_have_different_file_identifiers(tmp_path: Path) -> None:
    identifiers = {
        str(PdfReader(write_roll(roll_of(name), tmp_path / "roll.pdf").path).trailer["/ID"])
        for name in ("Ann", "Bob")
    }

    assert len(identifiers) == 2


def test_right_to_left_names_end_at_the_right_edge_of_their_column(tmp_path: Path) -> None:
    written = write_roll(roll_of("محمد", "Ann"), tmp_path / "roll.pdf")

    lines = {line.text: line for line in shown_lines(written.path)}
    assert lines["Ann"].left == pytest.approx(NAME_LEFT)
    assert lines["دمحم"].right == pytest.approx(NAME_RIGHT, abs=0.05)


def test_numbers_are_aligned_at_the_right(tmp_path: Path) -> None:
    written = write_roll(roll_of(*["Ann"] * 10), tmp_path / "roll.pdf")

    lines = {line.text: line for line in shown_lines(written.path)}
    assert lines["9"].right == pytest.approx(lines["10"].right, abs=0.02)
    assert lines["9"].left > lines["10"].left


def test_a_long_center_name_takes_lines_of_its_own(tmp_path: Path) -> None:
    written = write_roll(roll_of("Ann", center_name="Saint Mary " * 18), tmp_path / "roll.pdf")

    lines = shown_lines(written.path)
    titles = [line for line in lines if line.baseline > page.SUBTITLE_MIDDLE + 5]
    footers = [line for line in lines if line.baseline < page.FOOTER_MIDDLE + 15]
    assert "".join(line.text for line in titles).count("Mary") == 18
    assert "".join(line.text for line in footers).count("Mary") == 18
    assert footers[-2].text == "(C7) Voter List - Page-1"


@pytest.mark.parametrize("letter", ["W", "م"])
def test_the_longest_texts_that_a_roll_book_takes_are_printed_in_their_places(
    tmp_path: Path, letter: str
) -> None:
    longest_id, longest_name = letter * MAX_ID, letter * MAX_NAME
    entries = [RollEntry(longest_id, longest_name)] * 41
    roll = Roll(longest_id, longest_name, longest_id + "-001", entries)

    written = write_roll(roll, tmp_path / "roll.pdf")

    for number in range(2):
        lines = shown_lines(written.path, number)
        assert all(line.left >= page.LEFT for line in lines)
        assert all(line.right <= page.RIGHT + ROUNDING for line in lines)
        assert all(line.size >= SMALLEST for line in lines if line.text)
        foot = [line for line in lines if line.baseline < page.FOOTER_MIDDLE + 15]
        (count,) = [line for line in foot if line.text == f"Page {number + 1} of 2"]
        assert all(line.right < count.left for line in foot if line is not count)
        assert sum(line.text.count(letter) for line in foot) == MAX_ID + MAX_NAME
        assert all(20 < line.baseline < page.row_middle(40) for line in foot)


def test_full_pages_share_one_grid(tmp_path: Path) -> None:
    written = write_roll(roll_of(*["Ann"] * 81), tmp_path / "roll.pdf")

    grids = [
        sheet["/Resources"]["/XObject"].get_object() for sheet in PdfReader(written.path).pages
    ]
    assert [list(grid) for grid in grids] == [
        ["/FormXob.Grid40"],
        ["/FormXob.Grid40"],
        ["/FormXob.Grid1"],
    ]


@pytest.mark.parametrize(("rows", "shaded"), [(1, 0), (2, 1), (3, 1), (40, 20)])
def test_every_other_row_is_shaded(rows: int, shaded: int) -> None:
    operators = page.grid(rows).split()

    assert operators.count("re") == 1 + shaded
    assert operators.count("m") == operators.count("l") == rows + 1 + len(page.EDGES) + 1


def test_the_table_leaves_room_for_header_and_footer() -> None:
    bottom = page.row_middle(39) - page.ROW_HEIGHT / 2

    assert bottom > page.FOOTER_MIDDLE + page.NOTE_SIZE
    assert page.TABLE_TOP < page.SUBTITLE_MIDDLE < page.TITLE_MIDDLE < page.PAGE_HEIGHT


def test_a_center_name_from_right_to_left_does_not_turn_the_footer_round(tmp_path: Path) -> None:
    roll = roll_of("Ann", center_name="مدرسة")

    written = write_roll(roll, tmp_path / "roll.pdf")

    assert [line.text for line in shown_lines(written.path)][-2:] == [
        "ةسردم (C7) Voter List - Page-1",
        "Page 1 of 1",
    ]
