"""Replace parts of a source by their place in the syntax tree: all else stays as it is written."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Edits:
    """Replacements in one source. An edit inside of another one is lost."""

    source: bytes
    made: list[tuple[int, int, str]] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Where each line begins, in bytes: syntax trees count columns in bytes."""
        self._starts = [0]
        for line in self.source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """The byte at which a place of the syntax tree begins."""
        return self._starts[line - 1] + column

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """The bytes of a node."""
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def end_of_line(self, node: ast.stmt) -> int:
        """Where the last line of a statement ends, a comment behind it included."""
        end = self.span(node)[1]
        line = self.source.find(b"\n", end)
        return len(self.source) if line < 0 else line

    def replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        """Put text in the place of a node."""
        start, end = self.span(node)
        self.made.append((start, end, text))

    def replace_argument(self, argument: ast.arg, text: str) -> None:
        """Put text in the place of a parameter."""
        start = self.offset(argument.lineno, argument.col_offset)
        end = self.offset(argument.end_lineno or argument.lineno, argument.end_col_offset or 0)
        self.made.append((start, end, text))

    def cut(self, start: int, end: int, text: str = "") -> None:
        """Put text in the place of bytes."""
        self.made.append((start, end, text))

    def covers(self, node: ast.expr) -> bool:
        """Whether a node lies in a part that was replaced."""
        start, end = self.span(node)
        return any(first <= start and end <= last for first, last, _ in self.made)

    def text(self, start: int, end: int) -> str:
        """The source between two bytes, with the edits that lie in there."""
        done = start
        pieces: list[bytes] = []
        for first, last, text in self._within(start, end):
            if first < done:
                continue
            pieces += [self.source[done:first], text.encode()]
            done = last
        pieces.append(self.source[done:end])
        return b"".join(pieces).decode()

    def result(self) -> str:
        """The whole source with all edits."""
        return self.text(0, len(self.source))

    def _within(self, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        return iter(sorted(one for one in self.made if start <= one[0] and one[1] <= end))

    def lines(self, first: int, last: int) -> str:
        """Whole lines, from ``first`` to ``last``, with the edits that lie in there."""
        return self.text(self._starts[first - 1], self._starts[min(last, len(self._starts) - 1)])
