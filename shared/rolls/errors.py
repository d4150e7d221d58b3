"""What can be wrong with a roll's text or fonts.

UsageError, ValueError
├── MissingGlyph      no font has a character
├── UnprintableText   a blank or endless text
└── BadFont           a font file that cannot be used

A person has to correct the text or the setting: exit code 2 on a command line. Every one carries a
single line that says what, where and what to do, and nothing else, so that it survives pickling on
its way through a task queue.
"""

from __future__ import annotations

import unicodedata

from shared.errors import UsageError


class MissingGlyph(UsageError, ValueError):  # noqa: N818 - the name states the finding, as KeyError's kin do
    """No font has a character that a roll must print; nothing has been written."""

    @classmethod
    def describe(cls, characters: str, where: str, *, others: int = 0) -> MissingGlyph:
        """Build the error for the characters missing ``where``, and in ``others`` more texts."""
        named = ", ".join(name_character(character) for character in dict.fromkeys(characters))
        more = f", nor for {others} more of this roll" if others else ""
        return cls(
            f"no font has {named} for {where}{more}; "
            "name a TrueType font that has it in the ROLL_FONTS setting, or correct the text"
        )


class UnprintableText(UsageError, ValueError):  # noqa: N818 - see MissingGlyph
    """A text that leaves nothing visible on paper, or too long to be read in its cell."""


class BadFont(UsageError, ValueError):  # noqa: N818 - see MissingGlyph
    """A font file that is missing, unreadable, not TrueType, or that forbids embedding."""


def name_character(character: str) -> str:
    """``U+0939 DEVANAGARI LETTER HA``; control characters have no name of their own."""
    fallback = "control character" if unicodedata.category(character) == "Cc" else "unassigned"
    return f"U+{ord(character):04X} {unicodedata.name(character, fallback)}"


def on_one_line(text: str) -> str:
    """Return ``text``, or its Python spelling where it holds line breaks or the like."""
    return text if text.isprintable() else repr(text)
