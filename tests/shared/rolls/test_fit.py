from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rolls.fit import LEADING, SMALLEST, Block, NoRoom, fit, fit_line
from shared.rolls.fontfile import load_fonts
from shared.rolls.shape import shape

FONTS = load_fonts([])
WIDTH, HEIGHT, SIZE = 224.0, 16.0, 9.0


def lay(text: str) -> Block:
    return fit(text, FONTS, width=WIDTH, height=HEIGHT, size=SIZE)


def texts(block: Block) -> list[str]:
    return ["".join(t for span in line.spans for _, t in span.glyphs) for line in block.lines]


def stays_inside(block: Block) -> bool:
    wide = max(line.width for line in block.lines) * block.size / 1000
    high = len(block.lines) * LEADING * block.size if len(block.lines) > 1 else block.size
    return wide <= WIDTH + 1e-6 and high <= HEIGHT + 1e-6


def test_a_usual_name_keeps_the_size() -> None:
    assert lay("Anastasia Müller-Lüdenscheidt").size == SIZE


def test_a_longer_name_shrinks_on_one_line() -> None:
    block = lay("Hubert Blaine Wolfeschlegelsteinhausenbergerdorff-Smith")

    assert len(block.lines) == 1
    assert 0.8 * SIZE <= block.size < SIZE
    assert stays_inside(block)


def test_a_long_name_takes_two_lines_and_breaks_between_words() -> None:
    name = "Maria del Carmen Josefina Guadalupe Concepcion Fernandez de la Vega y Gutierrez Solana"

    block = lay(name)

    assert len(block.lines) == 2
    assert " ".join(texts(block)) == name
    assert stays_inside(block)


@pytest.mark.parametrize(
    "name",
    ["W" * 200, "Wilhelmina " * 18 + "WW", "Anna-" * 40, "ж" * 200, "n\u0303" * 100, "Ⅷ" * 200],
)
def test_two_hundred_letters_are_all_there(name: str) -> None:
    block = lay(name.strip())

    assert "".join(texts(block)).replace(" ", "") == name.replace(" ", "")
    assert block.size >= SMALLEST
    assert stays_inside(block)


def test_two_hundred_arabic_letters_are_all_there() -> None:
    name = "عبد الرحمن " * 18

    block = lay(name.strip())

    letters = sorted("".join(texts(block)).replace(" ", ""))
    assert letters == sorted(name.replace(" ", ""))
    assert stays_inside(block)


def test_an_endless_text_is_refused() -> None:
    with pytest.raises(NoRoom):
        lay("W" * 1000)


def test_a_line_shrinks_as_a_whole() -> None:
    line = shape("Voter List " * 8, FONTS)

    block = fit_line(line, width=WIDTH, size=8)

    assert block.lines == (line,)
    assert stays_inside(block)
    with pytest.raises(NoRoom):
        fit_line(line, width=20, size=8)


@given(st.text("abcW ж-é", min_size=1, max_size=200).map(str.strip).filter(bool))
def test_nothing_is_lost_and_nothing_sticks_out(text: str) -> None:
    block = lay(text)

    assert "".join(texts(block)).replace(" ", "") == text.replace(" ", "")
    assert stays_inside(block)
