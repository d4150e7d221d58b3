"""What the reading of outlines asks of plain syntax, before any name is resolved."""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.arguments import packed_arguments
from offcanvas.audit.outline import Outline
from offcanvas.audit.tree import Tree

_NO_OPTIONS: Final = frozenset(
    {"args", "kwargs", "options", "immutable", "app", "type", "subtask_type", "task", "varargs"}
)


def grows(value: ast.expr | None, name: str) -> bool:
    """`c = c | task.s()`."""
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.BitOr)
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value.left))
    )


def flat(outline: Outline) -> tuple[Outline, ...]:
    """The members of a chain; anything else is its own only member."""
    return outline.parts if outline.kind == "chain" else (outline,)


def is_empty(node: ast.expr) -> bool:
    """`[]`, `()`, `None`: a list without members."""
    if isinstance(node, ast.Constant):
        return node.value is None
    return isinstance(node, ast.List | ast.Tuple) and not node.elts


def option_names(node: ast.Call) -> tuple[str, ...]:
    """Execution options named by `.set(...)`, `.signature(...)` or `.apply_async(...)`."""
    given = [k.arg for k in node.keywords if k.arg and k.arg not in _NO_OPTIONS]
    for keyword in node.keywords:
        if keyword.arg == "options" and isinstance(keyword.value, ast.Dict):
            keys = [k.value for k in keyword.value.keys if isinstance(k, ast.Constant)]
            given += [k for k in keys if isinstance(k, str)]
    return tuple(given)


def says_immutable(node: ast.Call) -> bool:
    """Whether a call says `immutable=True`."""
    return any(
        k.arg == "immutable" and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in node.keywords
    )


def given_arguments(
    node: ast.Call, packed: bool, skip: int = 0
) -> tuple[tuple[ast.expr, ...] | None, dict[str, ast.expr] | None]:
    """The task's own arguments: of `.s(1, a=2)`, or packed as in `.signature((1,), {"a": 2})`."""
    if packed:
        return packed_arguments(node, skip)
    args = None if any(isinstance(a, ast.Starred) for a in node.args) else tuple(node.args)
    if any(k.arg is None for k in node.keywords):
        return args, None
    return args, {k.arg: k.value for k in node.keywords if k.arg is not None}


def called(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions that a chain of calls hangs on: `chord(h)` in `chord(h)(b).on_error(e)`."""
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return
        yield node


def is_conditional(tree: Tree, added: ast.AST, used: ast.AST) -> bool:
    """Whether something is added in a branch that its use does not stand in."""
    around = {id(n) for n in tree.around(used)}
    return any(
        isinstance(n, ast.If | ast.Try | ast.For | ast.While | ast.Match) and id(n) not in around
        for n in tree.around(added)
    )
