from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rolls.text import printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Ann Smith", "Ann Smith"),
        ("João", "João"),
        ("Joa\u0303o", "João"),
        ("  Ann \t Smith\r\nJones ", "Ann Smith Jones"),
        ("Ann\u00a0Smith\u2003Jones", "Ann Smith Jones"),
        ("\ufeffAnn\u200b Smi\u00adth\u200e", "Ann Smith"),
        ("\u202eAnn\u202c", "Ann"),
        # The joiners are spelling in Persian and Indic scripts.
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Ann\u0000Smith", "Ann\u0000Smith"),
        (" \u200b\n", ""),
        ("\u200c", ""),
        ("", ""),
    ],
)
def test_text_as_printed(text: str, printed: str) -> None:
    assert printable(text) == printed


@given(st.text())
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    printed = printable(text)

    assert printable(printed) == printed
    assert unicodedata.is_normalized("NFC", printed)


@given(st.text())
def test_only_blanks_and_format_characters_are_lost(text: str) -> None:
    def marks(of: str) -> str:
        composed = unicodedata.normalize("NFC", of)
        return "".join(c for c in composed if not c.isspace() and unicodedata.category(c) != "Cf")

    invisible_apart = "".join(c for c in text if unicodedata.category(c) != "Cf")
    assert marks(printable(text)) == marks(" ".join(invisible_apart.split()))
