from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

from shared.rolls import BadFont
from shared.rolls.fontfile import BUILT_IN, load_fonts
from tests.shared.rolls.fonts import make_font

if TYPE_CHECKING:
    from pathlib import Path


def test_the_built_in_font_comes_first_with_its_licence() -> None:
    (font,) = load_fonts([])

    assert font.path == BUILT_IN
    assert font.postscript_name == "DejaVuSansCondensed"
    licence = BUILT_IN.with_name("LICENSE-DejaVu.txt").read_text(encoding="utf-8")
    assert "Permission is hereby granted, free of charge" in licence


@pytest.mark.parametrize("letters", ["Ññőłšțħ", "ΆάϊΰΩ", "ЁёЇїҐґЂљ", "ابتثپچگکیةئؤ٠٩َُِّْ"])
def test_the_built_in_font_has_the_letters_of_these_scripts(letters: str) -> None:
    assert load_fonts([])[0].lacks(letters) == ""


def test_a_letter_counts_as_present_when_its_parts_are(tmp_path: Path) -> None:
    font = load_fonts([make_font(tmp_path / "parts.ttf", "e\u0301x")])[1]

    assert font.lacks("\u00e9xe\u0301") == ""
    assert font.lacks("\u00e8yx") == "\u00e8y"


def test_a_subset_holds_the_glyphs_asked_for_and_no_more(tmp_path: Path) -> None:
    font = load_fonts([make_font(tmp_path / "boxes.ttf", "abcd")])[1]

    program, new_ids = font.subset([2, 4])

    cut = TTFont(BytesIO(program))
    assert new_ids == {0: 0, 2: 1, 4: 2}
    assert set(cut.keys()) - {"GlyphOrder"} == {"glyf", "head", "hhea", "hmtx", "loca", "maxp"}
    heights = [cut["glyf"][name].yMax for name in cut.getGlyphOrder()[1:]]
    assert heights == [300 + 50 * 2, 300 + 50 * 4]


def test_fonts_are_loaded_once_and_again_after_a_change(tmp_path: Path) -> None:
    path = make_font(tmp_path / "boxes.ttf", "a")
    first = load_fonts([path])[1]

    assert load_fonts([path])[1] is first
    make_font(path, "ab")
    assert load_fonts([path])[1].lacks("ab") == ""


def cff_font(path: Path) -> Path:
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "a"])
    builder.setupCharacterMap({97: "a"})
    outline = T2CharStringPen(500, None).getCharString()
    builder.setupCFF("Curves", {}, {".notdef": outline, "a": outline}, {})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "a": (500, 0)})
    builder.setupHorizontalHeader()
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_unusable_files_are_named_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.ttf"
    text.write_text("no font")
    cut = tmp_path / "cut.ttf"
    cut.write_bytes(BUILT_IN.read_bytes()[:400_000])
    head = tmp_path / "head.ttf"
    head.write_bytes(BUILT_IN.read_bytes()[:100])
    unusable = {
        tmp_path / "absent.ttf": "No such file or directory",
        tmp_path: "Is a directory",
        text: "not a TrueType font",
        head: "not a TrueType font",
        cut: "the file is cut off",
        cff_font(tmp_path / "curves.otf"): "its outlines are PostScript",
        make_font(tmp_path / "locked.ttf", "a", fs_type=2): "its licence bits forbid embedding",
    }
    for path, reason in unusable.items():
        with pytest.raises(BadFont) as raised:
            load_fonts([path])

        message = str(raised.value)
        assert message.startswith(f"font {path}: ")
        assert reason in message
        assert "\n" not in message
