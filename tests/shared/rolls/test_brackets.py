from __future__ import annotations

import pytest

from shared.rolls.itemise import levels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Latin in brackets after Latin, in an Arabic name: the brackets go with the Latin.
        ("ب a (b)", "11" + "22222"),
        # Arabic in brackets in an Arabic name, Latin outside: the brackets go with the name.
        ("ب (ب) a", "111111" + "2"),
        # Both directions inside: the brackets go with the name.
        ("ب a (b ب)", "11" + "2" + "11" + "2" + "111"),
        # A mark on a bracket goes with the bracket.
        ("ب a (b)\u0301", "11" + "222222"),
        # Brackets that do not match are left to the rules for other marks.
        ("ب a (b", "11" + "2222"),
        ("ب a ]b)", "11" + "2222" + "1"),
    ],
)
def test_brackets_take_the_direction_of_what_they_enclose(text: str, expected: str) -> None:
    assert levels(text) == [int(level) for level in expected]


def test_nesting_deeper_than_the_rule_allows_leaves_brackets_alone() -> None:
    deep = "ب a " + "(" * 64 + "b" + ")" * 64

    assert levels(deep)[-1] == 1
    assert levels("ب a " + "(" * 63 + "b" + ")" * 63)[-1] == 2
