"""Where the canvas of a function begins: what stands before it and does other things is a step.

``rows.note(...)``, a ``with``, a loop that fills a list of data: code that only Python can say. As
long as it comes before the first canvas it stays as it is, in a function of its own, and returns
the names that the canvas uses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offcanvas.audit.names import SIGNATURE, TASK
from offcanvas.port.read.own import task_object, without_task
from offcanvas.port.source import BUILTINS

if TYPE_CHECKING:
    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function
    from offcanvas.port.read.signatures import Expressions


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first ``count`` statements of a function: their source, and names in and out.

    gives: names they bind that are used after them. reads: names they need that they do not bind.
    globals: those of ``reads`` that are no parameters.
    """

    count: int
    first: ast.stmt
    body: str
    gives: tuple[str, ...]
    reads: frozenset[str]
    globals: tuple[str, ...]


def cut(module: Module, function: Function, reader: Expressions) -> Prefix | None:
    """The part of a function that has to be a step, or None when all of it can be read."""
    body = [
        s
        for s in function.node.body
        if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    last = -1
    for index, statement in enumerate(body):
        if has_canvas(module, statement, reader):
            break
        if not _is_plain(module, statement, function):
            last = index
    if last < 0:
        return None
    before, after = body[: last + 1], body[last + 1 :]
    if any(isinstance(n, ast.Return | ast.Yield | ast.Await) for s in before for n in ast.walk(s)):
        return None
    text = without_task(module, before, task_object(function))
    if text is None:
        return None
    bound = _bound(before)
    used = {name for s in after for name in needed(s)}
    reads = {
        n.id
        for s in before
        for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    parameters = {p.name for p in function.params.items}
    return Prefix(
        count=last + 1,
        first=before[0],
        body=text,
        gives=tuple(name for name in bound if name in used),
        reads=frozenset(reads),
        globals=tuple(sorted(reads - parameters - set(bound) - BUILTINS)),
    )


def needed(node: ast.AST) -> Iterator[str]:
    """The names that code uses of what is around it, without those of its comprehensions."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        first = node.generators[0].iter
        own = {
            name.id
            for one in node.generators
            for name in ast.walk(one.target)
            if isinstance(name, ast.Name)
        }
        yield from needed(first)
        for child in ast.iter_child_nodes(node):
            yield from (name for name in __needed_but(child, first) if name not in own)
    else:
        for child in ast.iter_child_nodes(node):
            yield from needed(child)


def __needed_but(node: ast.AST, left_out: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.comprehension):
        for child in ast.iter_child_nodes(node):
            if child is not left_out:
                yield from needed(child)
    else:
        yield from needed(node)


def has_canvas(module: Module, statement: ast.stmt, reader: Expressions) -> bool:
    """Whether a signature is made, composed, sent or put in place anywhere in a statement."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call):
            continue
        name = module.name(node.func)
        if module.instance(node) == SIGNATURE or name == f"{TASK}.replace":
            return True
        if name in {f"{TASK}.delay", f"{TASK}.apply_async", f"{SIGNATURE}.delay"}:
            return True
        found = module.callee(node)
        if found is not None and found[1].task is None and reader.builds(*found):
            return True
    return False


def _is_plain(module: Module, statement: ast.stmt, function: Function) -> bool:
    """Whether a statement without a canvas can be read as it is: an assignment, an early return."""
    match statement:
        case (
            ast.Assign(targets=[ast.Name()], value=value)
            | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            return not _is_list_of_data(module, statement, value, function)
        case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Return() | ast.AnnAssign():
            return True
        case ast.If():
            inside = [*statement.body, *statement.orelse]
            return all(_is_plain(module, inner, function) for inner in inside)
        case _:
            return False


def _is_list_of_data(
    module: Module, statement: ast.stmt, value: ast.expr, function: Function
) -> bool:
    """``pairs = []`` that is filled with other things than canvases."""
    if not isinstance(value, ast.List | ast.Dict | ast.Set) or not isinstance(
        statement, ast.Assign
    ):
        return False
    target = statement.targets[0]
    if not isinstance(target, ast.Name):
        return False
    added = [
        node
        for node in module.inside(function.node, ast.Call)
        if isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == target.id
        and node.func.attr in {"append", "add", "update", "extend"}
    ]
    return (
        False
        if not added
        else not any(_has_canvas_value(module, arg) for call in added for arg in call.args)
    )


def _has_canvas_value(module: Module, node: ast.expr) -> bool:
    return any(isinstance(n, ast.expr) and module.instance(n) == SIGNATURE for n in ast.walk(node))


def _bound(statements: list[ast.stmt]) -> tuple[str, ...]:
    def names() -> Iterator[str]:
        for statement in statements:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id
                elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                    yield node.name

    return tuple(dict.fromkeys(names()))
