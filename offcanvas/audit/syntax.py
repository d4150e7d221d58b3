"""Read a source file into a syntax tree, whichever Python runs the tool.

The standard library's parser is by far the fastest and is asked first. It knows only the grammar of
the Python that runs it; a file that is newer than that is read by LibCST, whose grammar is its own,
and rewritten into the older grammar line for line (see `modern`).
"""

import ast
import io
import re
import stat
import tokenize
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

LARGEST: Final = 5_000_000
"""Bytes. A larger Python file is generated data; it is reported, not read."""


_BARE_EXCEPT: Final = re.compile(
    rb"^([ \t]*except\*?[ \t]+)([\w.]+(?:[ \t]*,[ \t]*[\w.]+)+,?)[ \t]*:", re.MULTILINE
)
"""`except A, B:` of Python 3.14."""


class UnreadableError(Exception):
    """One file that could not be read, with the reason in one line."""


def read_source(path: Path) -> bytes:
    """The bytes of a file. Raises UnreadableError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("no regular file")  # a pipe would wait for its writer for ever
        size = status.st_size
        if size > LARGEST:
            raise UnreadableError(
                f"{size / 1e6:.0f} MB is more than the {LARGEST / 1e6:.0f} MB that are read"
            )
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def decode(source: bytes) -> str:
    """The text of a source file, by its coding line. Raises UnreadableError."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return io.TextIOWrapper(io.BytesIO(source), encoding, newline=None).read()
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise UnreadableError(f"not text in its declared encoding: {error}") from error


def parse(source: bytes) -> ast.Module:
    """The syntax tree of a file's bytes. Raises UnreadableError."""
    return parse_as_written(source)[0]


def parse_as_written(source: bytes) -> tuple[ast.Module, bool]:
    """The syntax tree, and whether its columns are those of the source. Raises UnreadableError."""
    try:
        with warnings.catch_warnings():
            # The audited code's own warnings ("invalid escape sequence") are not ours to show.
            warnings.simplefilter("ignore")
            return ast.parse(source), True
    except SyntaxError as error:
        return _parse_newer(source, error), False
    except (ValueError, RecursionError, MemoryError) as error:
        why = str(error) or f"{type(error).__name__}, it is nested too deeply"
        raise UnreadableError(f"cannot be parsed: {why}") from error


def _parse_newer(source: bytes, first: SyntaxError) -> ast.Module:
    # By far the most frequent newer form, a hundred times faster without LibCST.
    older, count = _BARE_EXCEPT.subn(rb"\1(\2):", source)
    if count:
        failures = suppress(SyntaxError, ValueError, RecursionError, MemoryError)
        with failures, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(older)
    from offcanvas.audit import modern

    text = decode(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(modern.to_running_grammar(text))
    except (modern.GrammarError, SyntaxError, ValueError, RecursionError) as error:
        where = f"line {first.lineno}: " if first.lineno else ""
        raise UnreadableError(f"{where}{first.msg}") from error
