"""Which branches of a candidate's orchestration were taken: those of its own source.

Looked at are ``if``, ``while``, ``for`` and ``except`` in the files of the candidate. A branch that
no recorded root has taken is not covered, whatever the count says.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

Arc = tuple[str, int, int]
_END = -1


@dataclass(frozen=True, slots=True)
class Branch:
    """One way on from a line.

    Attributes:
        file: where.
        line: of the condition.
        told: the condition, and what has to come of it.
        test: first and last line of the condition.
        body: first and last line of what is conditional.
        inside: whether the branch is the way into the body, or the one past it.
    """

    file: str
    line: int
    told: str
    test: tuple[int, int]
    body: tuple[int, int]
    inside: bool

    def is_taken(self, arcs: Iterable[Arc]) -> bool:
        """Whether one of the steps from line to line is this branch."""
        for file, before, after in arcs:
            if file != self.file or not self.test[0] <= before <= self.test[1]:
                continue
            within = self.body[0] <= after <= self.body[1]
            if within if self.inside else not within and not self.test[0] <= after <= self.test[1]:
                return True
        return False

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line} {self.told}"


class Branches:
    """The branches in some files, and the steps from line to line that were taken in them."""

    def __init__(self, files: Iterable[Path], functions: Iterable[str] | None = None) -> None:
        """``functions``: only these of the files; None for all."""
        self.all: list[Branch] = []
        self._arcs: set[Arc] = set()
        wanted = None if functions is None else frozenset(functions)
        for path in files:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in tree.body if wanted is None else _functions(tree, wanted):
                self.all += _branches(str(path), node)
        self._files = frozenset(str(path) for path in files)

    @property
    def untaken(self) -> list[str]:
        """Those that nothing has taken, in words."""
        return [str(one) for one in self.all if not one.is_taken(self._arcs)]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Steps are noted in this thread, and in threads that begin meanwhile."""
        before, of_threads = sys.gettrace(), threading.gettrace()
        sys.settrace(self._called)
        threading.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)
            threading.settrace(of_threads)

    def _called(self, frame: FrameType, event: str, _given: Any) -> Any:
        name = frame.f_code.co_filename
        if event != "call" or name not in self._files:
            return None
        return self._steps(name, frame.f_lineno)

    def _steps(self, name: str, line: int) -> Callable[..., Any]:
        last = line

        def step(frame: FrameType, event: str, _given: Any) -> Any:
            nonlocal last
            if event == "line":
                self._arcs.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            elif event == "return":
                self._arcs.add((name, last, _END))
            return step

        return step


def _functions(tree: ast.Module, wanted: frozenset[str]) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in wanted:
            yield node


def _branches(file: str, root: ast.AST) -> Iterator[Branch]:
    for node in ast.walk(root):
        match node:
            case ast.If(test=test, body=body) | ast.While(test=test, body=body):
                word = "if" if isinstance(node, ast.If) else "while"
                told = f"{word} {ast.unparse(test):.60}"
                lines = (test.lineno, test.end_lineno or test.lineno)
                yield Branch(file, test.lineno, f"{told}: true", lines, _lines(body), inside=True)
                yield Branch(file, test.lineno, f"{told}: false", lines, _lines(body), inside=False)
            case (
                ast.For(target=target, iter=given, body=body)
                | ast.AsyncFor(target=target, iter=given, body=body)
            ):
                told = f"for {ast.unparse(target)} in {ast.unparse(given):.60}: any"
                lines = (node.lineno, given.end_lineno or given.lineno)
                yield Branch(file, node.lineno, told, lines, _lines(body), inside=True)
            case ast.ExceptHandler(type=kind, body=body):
                told = f"except {ast.unparse(kind) if kind else ''}".rstrip()
                lines = (node.lineno, (kind and kind.end_lineno) or node.lineno)
                yield Branch(file, node.lineno, told, lines, _lines(body), inside=True)
            case _:
                continue


def _lines(body: list[ast.stmt]) -> tuple[int, int]:
    return body[0].lineno, body[-1].end_lineno or body[-1].lineno
