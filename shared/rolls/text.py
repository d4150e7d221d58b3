"""Bring a text into the form in which it is printed.

- Canonical composition (NFC), so that a letter with a combining accent prints like the composed
  letter and takes the same bytes.
- Every run of white space, line breaks and tabs included, becomes one space; the ends are bare.
- Format characters that leave no mark on paper (zero-width space, byte order mark, soft hyphen,
  direction marks) are dropped. The two joiners stay: Persian and Indic spelling needs them.
- Other control characters stay and are reported by the fonts, which have no glyph for them.
"""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"

# Most names hold nothing but these, and pass through untouched.
_PLAIN = re.compile(r"[!-~\u00a1-\u00ac\u00ae-\u02ff]+(?: [!-~\u00a1-\u00ac\u00ae-\u02ff]+)*")


def printable(text: str) -> str:
    """Return ``text`` as printed; the empty string when nothing visible is left."""
    if _PLAIN.fullmatch(text):
        return text
    if not text.isprintable():  # which finds format characters, among others, at the speed of C
        text = "".join(
            character
            for character in text
            if character in JOINERS or unicodedata.category(character) != "Cf"
        )
    # str.split() also splits at the control characters U+001C to U+001F, which separate records.
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return composed if composed.strip(JOINERS) else ""
