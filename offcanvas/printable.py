"""Text of others, made fit to be shown: names of files and tasks may hold anything.

A terminal obeys control characters, and a line break begins a line that other programs read: a name
of two lines whose second begins with ``::error`` is a command to GitHub's runner. So what is shown
has none of them: they are written as Python writes them in a string.
"""

from __future__ import annotations

import logging
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

#: Categories of Unicode that are no text: controls, formats (among them those that turn the
#: direction of what follows), surrogates, and separators of lines and paragraphs.
_NO_TEXT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escaped(text: str) -> str:
    """The text in one line, without control characters."""
    return _without_controls(text, "")


def lines_escaped(text: str) -> str:
    """The text with line breaks and tabs, no other control characters, and no line a command."""
    return "\n".join(at_line_start(_without_controls(line, "\t")) for line in text.split("\n"))


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print the text: all that a command tells of code and data that others have written.

    What the terminal's encoding has no sign for is written out as well.
    """
    stream = sys.stderr if err else sys.stdout
    known = stream.encoding or "utf-8"
    whole = lines_escaped(text) + ("\n" if nl else "")
    stream.write(whole.encode(known, "backslashreplace").decode(known))
    stream.flush()


def _without_controls(text: str, kept: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        repr(one)[1:-1] if one not in kept and unicodedata.category(one) in _NO_TEXT else one
        for one in text
    )


def at_line_start(text: str) -> str:
    """A line that GitHub's runner does not take for a command, which begin with ``::``."""
    return f"./{text}" if text.lstrip().startswith(("::", "##[")) else text


def printable(thing: Any) -> Any:
    """A thing made of dataclasses, collections and text, with all its text ``escaped``."""
    if isinstance(thing, Enum):
        return thing
    if isinstance(thing, str):
        return escaped(thing)
    if isinstance(thing, Path):
        return Path(escaped(str(thing)))
    if is_dataclass(thing) and not isinstance(thing, type):
        given = {one.name: getattr(thing, one.name) for one in fields(thing) if one.init}
        shown = {name: printable(value) for name, value in given.items()}
        changed = {name: value for name, value in shown.items() if value is not given[name]}
        return replace(thing, **changed) if changed else thing
    if isinstance(thing, Counter):
        return Counter({printable(key): count for key, count in thing.items()})
    if isinstance(thing, Mapping):
        return {printable(key): printable(value) for key, value in thing.items()}
    if isinstance(thing, tuple | list | frozenset | set):
        return type(thing)(map(printable, thing))
    return thing


# What stands between a scheme and the last "@" of a word: a password may hold any character.
_USER_AND_PASSWORD = re.compile(r"(://[^:/?#@\s]*:)\S+(?=@)")
_NEXT = re.compile(r";(?=[\w+.-]+://)")
_TOKEN = re.compile(r"(https?://)[^:/?#@\s]+(?=@)", re.IGNORECASE)
_SECRET_OPTION = re.compile(
    r"((?:^|[?&;\s])[\w.-]*(?:pass|pwd|secret|token|key|credential|auth)[\w.-]*=)[^&;\s]+",
    re.IGNORECASE,
)


def masked(address: str) -> str:
    """The address, or several joined by ';', with each password and token replaced by ``***``.

    The reference workflow has the same function (``shared.settings``), as neither leans on the
    other; a test compares the two.
    """
    parts = (_USER_AND_PASSWORD.sub(r"\1***", part) for part in _NEXT.split(address))
    return _SECRET_OPTION.sub(r"\1***", _TOKEN.sub(r"\1***", ";".join(parts)))


class Masking(logging.Formatter):
    """Writes a log as ever, but for passwords and tokens in the addresses that errors quote."""

    def format(self, record: logging.LogRecord) -> str:
        """See base class."""
        return masked(super().format(record))


def plural(count: int, word: str) -> str:
    """ "1 task", "2 tasks"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
