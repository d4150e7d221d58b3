"""Read a source file into a syntax tree, whichever Python runs the tool.

The standard library's parser is by far the fastest and is asked first. It knows only the grammar of
the Python that runs it; a file that is newer than that is read by LibCST, whose grammar is its own,
and rewritten into the older grammar line for line (see `modern`).
"""

import ast
import io
import re
import stat
import sys
import tokenize
import warnings
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

LARGEST: Final = 5_000_000
"""Bytes. A larger Python file is generated data; it is reported, not read."""

DEEPEST: Final = 1_000
"""Levels of a syntax tree. What reads a tree calls itself for each level, and Python allows so many
calls; how deep its parser goes differs from version to version."""

_ROOM: Final = 10 * DEEPEST
"""Calls within each other that Python has to allow for a tree of that depth."""


_WORD: Final = re.compile(rb"\w+|[^\w\s]")
_MOST_WORDS: Final = 600_000
_MOST_WORDS_NEWER: Final = 150_000
"""For LibCST, whose tree is several times as large."""
_BARE_EXCEPT: Final = re.compile(
    rb"^([ \t]*except\*?[ \t]+)([\w.]+(?:[ \t]*,[ \t]*[\w.]+)+,?)[ \t]*:", re.MULTILINE
)
"""`except A, B:` of Python 3.14."""


_LEAVES: Final = frozenset(
    {ast.Name, ast.Constant, ast.Pass, ast.alias, ast.Import, ast.ImportFrom, type(None)}
    | {ast.Global, ast.Nonlocal, ast.Break, ast.Continue, ast.MatchSingleton, ast.MatchStar, str}
)
"""What has nothing below it that nests: names, literals, and what may stand in their place."""
_FLAT: Final = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "kind", "name", "names", "type_comment", "rest"}
    | {"conversion", "is_async", "simple", "kwd_attrs", "type_ignores", "level", "module"}
)
"""Fields that hold no node that nests."""


_SIMPLE: Final = frozenset({ast.Expr, ast.Assign, ast.Return, ast.AugAssign, ast.Raise, ast.Assert})
_SHORT: Final = 130
"""Characters. A level of an expression takes one at least: `--x`; mostly two: `a.b`, `f()`."""
_FEW: Final = 40
"""Levels of blocks around a short statement."""


class _Below(dict[type[ast.AST], tuple[str, ...]]):
    """Class of a node -> its fields that hold nodes."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        self[kind] = tuple(f for f in kind._fields if f not in _FLAT)
        return self[kind]


_BELOW: Final = _Below()


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
    except Exception as error:  # a codec may raise anything: undefined, punycode, idna
        raise UnreadableError(f"not text in its declared encoding: {error}") from error


def parse(source: bytes) -> ast.Module:
    """The syntax tree of a file's bytes. Raises UnreadableError."""
    return parse_as_written(source)[0]


def parse_as_written(source: bytes) -> tuple[ast.Module, bool]:
    """The syntax tree, and whether its columns are those of the source. Raises UnreadableError."""
    _bound(source, _MOST_WORDS)
    tree, exact = _parse(source)
    depth = _depth(tree)
    if depth > DEEPEST:
        raise UnreadableError(f"nested more than {DEEPEST} levels deep")
    if depth > DEEPEST // 10 and sys.getrecursionlimit() < _ROOM:
        sys.setrecursionlimit(_ROOM)
    return tree, exact


def _depth(tree: ast.Module) -> int:
    """The levels of a tree, level by level: counting must not need the calls that it is about."""
    levels, level = 0, list[ast.AST]([tree])
    while level:
        levels += 1
        below: list[ast.AST] = []
        for node in level:
            kind = node.__class__
            if kind in _SIMPLE and levels < _FEW and _is_short(node):
                continue
            for name in _BELOW[kind]:
                value = getattr(node, name)
                if value.__class__ is list:
                    below += value
                else:
                    below.append(value)
        # Every node of every file comes by here: leaves are dropped by their class alone.
        level = [each for each in below if each.__class__ not in _LEAVES]
    return levels + 1


def _is_short(node: ast.AST) -> bool:
    """Whether a statement has too few characters for an expression that is nested deeply."""
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 1)
    width: int = getattr(node, "end_col_offset", _SHORT) - getattr(node, "col_offset", 0)
    return first == last and width < _SHORT


def _parse(source: bytes) -> tuple[ast.Module, bool]:
    try:
        with warnings.catch_warnings():
            # The audited code's own warnings ("invalid escape sequence") are not ours to show.
            warnings.simplefilter("ignore")
            return ast.parse(source), True
    except SyntaxError as error:
        return _parse_newer(source, error), False
    except Exception as error:  # nested too deeply, or whatever its codec raises
        why = str(error) or f"{type(error).__name__}, it is nested too deeply"
        raise UnreadableError(f"cannot be parsed: {why}") from error


def _bound(source: bytes, most: int) -> None:
    """A syntax tree is up to a kilobyte for each word: 2.4 GB for a literal of 4.9 MB."""
    # Fewer bytes cannot hold as many words.
    if len(source) > most and next(islice(_WORD.finditer(source), most, None), None):
        raise UnreadableError(f"more than {most:,} names, numbers and signs: generated data")


def _parse_newer(source: bytes, first: SyntaxError) -> ast.Module:
    # By far the most frequent newer form, a hundred times faster without LibCST.
    older, count = _BARE_EXCEPT.subn(rb"\1(\2):", source)
    if count:
        failures = suppress(SyntaxError, ValueError, RecursionError, MemoryError)
        with failures, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(older)
    from offcanvas.audit import modern

    _bound(source, _MOST_WORDS_NEWER)
    text = decode(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(modern.to_running_grammar(text))
    except Exception as error:  # of either parser: nested too deeply, or no Python of any version
        where = f"line {first.lineno}: " if first.lineno else ""
        raise UnreadableError(f"{where}{first.msg}") from error
