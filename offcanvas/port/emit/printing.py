"""Statements as Python, as far as it is the same for all engines."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from offcanvas.port.emit.misfits import misfits
from offcanvas.port.script import Branch, Loop, One, Return, Set

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from offcanvas.port.ir import Canvas
    from offcanvas.port.script import Invocation, Member, Statement, Step


class StatementPrinter(ABC):
    """Prints statements; a subclass says how a call, a fan-out or a wait is spelled.

    ``misfits`` are the variables of a function that have to be ``Any``, until they are declared.
    """

    misfits: set[str]

    @abstractmethod
    def expr(self, text: str) -> str:
        """An expression of the canvas as the emitted code has it."""

    @abstractmethod
    def annotation(self, type_: str) -> str:
        """A type as the emitted module may write it."""

    @abstractmethod
    def call(self, call: Invocation) -> str:
        """What begins a member of a fan-out."""

    @abstractmethod
    def engine(self, statement: Statement) -> list[str]:
        """Lines of Python for a statement that each engine spells in its own way."""

    def routine(self, statements: Sequence[Statement], steps: Mapping[str, Step]) -> list[str]:
        """The lines of a function."""
        self.misfits = misfits(statements, steps)
        return self.block(statements)

    def block(self, statements: Sequence[Statement]) -> list[str]:
        """Lines of Python."""
        return [line for statement in statements for line in self.statement(statement)]

    def statement(self, statement: Statement) -> list[str]:
        """Lines of Python for one statement."""
        match statement:
            case Set(target=target, value=value, type=type_):
                said = f": {self.annotation(type_)}" if type_ else ""
                return [f"{target}{said} = {self.expr(value)}"]
            case Return(value=value):
                return [f"return {self.expr(value)}"]
            case Loop(var=var, over=over, body=body):
                inner = self.block(body) or ["pass"]
                return [f"for {var} in {self.expr(over)}:", *indented(inner, 1)]
            case Branch():
                return self._branch(statement)
            case _:
                return self.engine(statement)

    def _branch(self, branch: Branch) -> list[str]:
        lines = [
            f"if {self.expr(branch.test)}:",
            *indented(self.block(branch.body) or ["pass"], 1),
        ]
        if branch.orelse and not branch.body:
            test = f"not ({branch.test})"
            return [f"if {self.expr(test)}:", *indented(self.block(branch.orelse), 1)]
        if branch.orelse:
            lines += ["else:", *indented(self.block(branch.orelse), 1)]
        return lines

    def target(self, target: str, type_: str) -> str:
        """The left side of an assignment, or nothing; of a result of ``type_`` if it is not ""."""
        if not target:
            return ""
        if target in self.misfits:
            self.misfits.discard(target)
            return f"{target}: {self.annotation('Any')} = "
        if "Any" in type_:
            return f"{target}: {self.annotation(type_)} = "
        return f"{target} = "

    def many(self, member: Member) -> str:
        """A member, or the comprehension of members, without brackets."""
        if isinstance(member, One):
            return self.call(member.call)
        heads = " ".join(
            f"for {head.var} in {self.expr(head.over)}"
            + (f" if {self.expr(head.test)}" if head.test else "")
            for head in member.heads
        )
        return f"{self.call(member.call)} {heads}"


def docstring(canvas: Canvas) -> str:
    """What a canvas is, in its own words if it has any."""
    if canvas.how == "replaces" and not canvas.doc:
        return f"What `{canvas.function}` put in its own place with self.replace."
    return canvas.doc or f"The canvas of `{canvas.module}.{canvas.function}`."


def some_of(paths: Iterable[str]) -> str:
    """The first two paths, and how many there are besides."""
    every = list(dict.fromkeys(paths))
    more = [f"{len(every) - 2} more"] if len(every) > 2 else []
    return " and ".join([", ".join(every[:2]), *more])


def quoted(text: str) -> list[str]:
    """The lines of a docstring."""
    if not text:
        return []
    lines = text.replace("\\", "\\\\").replace('"""', "'''").splitlines()
    if len(lines) == 1:
        return [f'"""{lines[0]}"""']
    return [f'"""{lines[0]}', *lines[1:], '"""']


def comment(text: str, width: int = 100) -> list[str]:
    """A comment of so many columns; what follows the first line is set in."""
    return [
        f"# {line}"
        for line in textwrap.wrap(
            text, width - 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    ]


def indented(lines: Sequence[str], depth: int) -> list[str]:
    """The lines, so many levels further in."""
    return [("    " * depth + line) if line.strip() else line for line in lines]
