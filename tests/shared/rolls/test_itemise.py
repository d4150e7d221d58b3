from __future__ import annotations

import unicodedata
from itertools import groupby

import pytest
from bidi import get_display
from hypothesis import example, given
from hypothesis import strategies as st

from shared.rolls.fontfile import load_fonts
from shared.rolls.itemise import (
    Run,
    combining_sequences,
    in_visual_order,
    itemise,
    levels,
    reads_right_to_left,
)
from shared.rolls.text import printable

FONTS = load_fonts([])
ALPHABET = "ab 12,./-+$%()[]«»אבגلمعحد٣٤\u0301\u0651\u05b7"


def shown(text: str) -> str:
    """Reorder a text by its levels, without mirroring, as rule L2 says."""
    runs = []
    at = 0
    for level, same in groupby(levels(text)):
        length = len(list(same))
        runs.append(Run(at, at + length, level, "Zyyy", 0))
        at += length
    return "".join(
        text[run.start : run.end][:: -1 if run.level % 2 else 1] for run in in_visual_order(runs)
    )


@given(st.text(ALPHABET, max_size=30).map(printable).filter(bool))
@example("محمد Smith (12) علي")
@example("לוי (Ltd) 12")
@example("Smith (محمد) [ב 1] x")
def test_the_order_is_that_of_the_other_engine(text: str) -> None:
    assert shown(text) == get_display(text, base_dir="R" if reads_right_to_left(text) else "L")


@given(st.text(ALPHABET + "шΩღ\u200c", max_size=30).map(printable).filter(bool))
def test_runs_cover_the_text_once(text: str) -> None:
    runs = itemise(text, FONTS)

    assert "".join(text[run.start : run.end] for run in runs) == text
    assert sorted(in_visual_order(runs), key=lambda run: run.start) == runs


def test_runs_part_at_directions_and_scripts() -> None:
    text = "Anna محمد, Ганна"

    runs = itemise(text, FONTS)

    assert [(text[run.start : run.end], run.level, run.script) for run in runs] == [
        ("Anna ", 0, "Latn"),
        ("محمد", 1, "Arab"),
        (", ", 0, "Arab"),
        ("Ганна", 0, "Cyrl"),
    ]


def test_characters_without_a_font_are_marked() -> None:
    runs = itemise("Anna 王", FONTS)

    assert [(run.start, run.end, run.font) for run in runs] == [(0, 5, 0), (5, 6, -1)]


@pytest.mark.parametrize(
    ("text", "right_to_left"),
    [("Smith محمد", False), ("محمد Smith", True), ("(12) לוי", True), ("12", False)],
)
def test_the_first_letter_tells_the_direction(text: str, right_to_left: bool) -> None:
    assert reads_right_to_left(text) is right_to_left


def test_marks_and_joiners_stay_with_their_letter() -> None:
    text = "q\u0303a\u200d\u0301b"

    assert [text[a:b] for a, b in combining_sequences(text)] == ["q\u0303", "a\u200d\u0301", "b"]
    assert all(unicodedata.combining(text[a]) == 0 for a, _ in combining_sequences(text))
