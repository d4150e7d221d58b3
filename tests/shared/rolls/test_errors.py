from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from shared.rolls import BadFont, MissingGlyph, Roll, RollEntry, UnprintableText, write_roll
from tests.shared.rolls.fonts import make_font
from tests.shared.rolls.reading import page_texts, printed_rows, roll_of


def test_a_missing_character_is_named_with_its_voter_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(MissingGlyph) as raised:
        write_roll(roll_of("Ann Smith", "Anna 王"), tmp_path / "roll.pdf")

    assert str(raised.value) == (
        "no font has U+738B CJK UNIFIED IDEOGRAPH-738B for the name of voter V2 ('Anna 王'); "
        "name a TrueType font that has it in the ROLL_FONTS setting, or correct the text"
    )
    assert list(tmp_path.iterdir()) == []


def test_one_error_tells_of_all_texts_that_lack_characters(tmp_path: Path) -> None:
    roll = roll_of("王王小", "Ann Smith", "山田", "明")

    with pytest.raises(MissingGlyph) as raised:
        write_roll(roll, tmp_path / "roll.pdf")

    message = str(raised.value)
    assert "U+738B CJK UNIFIED IDEOGRAPH-738B, U+5C0F CJK UNIFIED IDEOGRAPH-5C0F for " in message
    assert "voter V1" in message
    assert ", nor for 2 more of this roll; " in message


def test_a_font_named_by_the_caller_closes_the_gap(tmp_path: Path) -> None:
    font = make_font(tmp_path / "han.ttf", "王小")

    written = write_roll(roll_of("Anna 王小"), tmp_path / "roll.pdf", fonts=[font])

    assert printed_rows(page_texts(written.path)) == [(1, "V1", "Anna 王小")]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("Ann\u0000Smith", "U+0000 control character"),
        ("Ann\u0007", "U+0007 control character"),
        ("Ann\udc80", "U+DC80 unassigned"),
        ("Ann\U0010ffff", "U+10FFFF unassigned"),
    ],
)
def test_characters_that_no_font_can_have_are_refused(
    tmp_path: Path, name: str, named: str
) -> None:
    with pytest.raises(MissingGlyph) as raised:
        write_roll(roll_of(name), tmp_path / "roll.pdf")

    assert named in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "\n"])
def test_a_blank_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnprintableText, match=r"the name of voter V2 .* nothing that can be"):
        write_roll(roll_of("Ann Smith", name), tmp_path / "roll.pdf")

    assert list(tmp_path.iterdir()) == []


def test_an_endless_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnprintableText, match=r"name of voter V1 .*too long .*5,000 characters"):
        write_roll(roll_of("x" * 5000), tmp_path / "roll.pdf")


def test_an_endless_center_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnprintableText, match=r"center C7 is too long .*2,000 characters"):
        write_roll(roll_of("Ann", center_name="x" * 2000), tmp_path / "roll.pdf")


@pytest.mark.parametrize(
    ("roll", "where"),
    [
        (Roll("王", "Hall", "1", [RollEntry("1", "Ann")]), "the id of center 王"),
        (Roll("1", "王", "1", [RollEntry("1", "Ann")]), "the name of center 1"),
        (Roll("1", "Hall", "王", [RollEntry("1", "Ann")]), "the id of a station of center 1"),
        (Roll("1", "Hall", "1", [RollEntry("王", "Ann")]), "the id of voter '王'"),
    ],
)
def test_the_error_says_which_text_it_is(tmp_path: Path, roll: Roll, where: str) -> None:
    with pytest.raises(MissingGlyph, match=where):
        write_roll(roll, tmp_path / "roll.pdf")


@pytest.mark.parametrize("kind", [MissingGlyph, UnprintableText, BadFont])
def test_errors_are_value_errors_and_survive_a_task_queue(kind: type[ValueError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what, where, what to do")))  # noqa: S301 - our own

    assert isinstance(error, ValueError)
    assert type(error) is kind
    assert str(error) == "what, where, what to do"


def test_paths_are_not_read_before_the_roll_is_known_to_have_voters(tmp_path: Path) -> None:
    with pytest.raises(UnprintableText):
        write_roll(roll_of(), tmp_path / "roll.pdf", fonts=[Path("absent.ttf")])


def test_the_message_stays_on_one_line_whatever_the_ids_hold(tmp_path: Path) -> None:
    roll = Roll("C\n7", "Hall", "S\n1", [RollEntry("V\n1", "王\n")])

    with pytest.raises(MissingGlyph) as missing:
        write_roll(roll, tmp_path / "roll.pdf")
    with pytest.raises(UnprintableText) as empty:
        write_roll(replace(roll, entries=[]), tmp_path / "roll.pdf")

    assert str(missing.value).isprintable()
    assert r"the name of voter 'V\n1' ('王\n')" in str(missing.value)
    assert str(empty.value).isprintable()
