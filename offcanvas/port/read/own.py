"""Source of statements without the task object: what it says of earlier attempts is known.

The body of a task that has become a workflow is run once, so that ``self.request.retries`` is 0 in
it, also where a helper of the project counts it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from offcanvas.port.edits import Edits
from offcanvas.port.source import BUILTINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offcanvas.audit.module import Module
    from offcanvas.audit.tree import Function


def has_object(function: Function) -> bool:
    """Whether the first parameter is the object that a method or a bound task is of."""
    if function.task is not None:
        return function.task.bound or function.owner is not None
    static = any(
        isinstance(one, ast.Name) and one.id == "staticmethod"
        for one in function.node.decorator_list
    )
    return function.owner is not None and not static


def task_object(function: Function) -> str:
    """The name of the object that a method or a bound task has first, or ""."""
    if not has_object(function):
        return ""
    return next((param.name for param in function.params.items), "")


def without_task(
    module: Module, statements: Sequence[ast.stmt], name: str, edits: Edits | None = None
) -> str | None:
    """The statements as source; None if they use the task object for more than its attempts."""
    edits = edits or Edits(module.source)
    for statement in statements:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Name) or node.id != name:
                continue
            target = _counted(module, node)
            if target is None:
                return None
            edits.replace(*target)
    lines: list[str] = []
    for statement in statements:
        start, end = edits.span(statement)
        first, *rest = edits.text(start, end).splitlines()
        indent = " " * statement.col_offset
        lines += [first, *(line.removeprefix(indent) for line in rest)]
    return "\n".join(lines)


def _counted(module: Module, node: ast.Name) -> tuple[ast.expr, str] | None:
    """The expression that counts attempts, and its value before the first."""
    above = module.parents.get(node)
    if isinstance(above, ast.Attribute) and above.attr == "request":
        outer = module.parents.get(above)
        if isinstance(outer, ast.Attribute) and outer.attr == "retries":
            return outer, "0"
        return None
    if not isinstance(above, ast.Call):
        return None
    text = counting_helper(module, above, node)
    return None if text is None else (above, text.replace("retries", "0"))


def counting_helper(module: Module, call: ast.Call, node: ast.AST) -> str | None:
    """``attempt_of(self)`` of the project, if all it does is count: its value over ``retries``."""
    if call.args != [node] or call.keywords:
        return None
    found = module.callee(call)
    if found is None:
        return None
    statements = [
        s
        for s in found[1].node.body
        if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    if len(statements) != 1 or not isinstance(statements[0], ast.Return):
        return None
    (param,) = [p.name for p in found[1].params.items] or ("",)
    value = statements[0].value
    if value is None:
        return None
    text = ast.unparse(value).replace(f"{param}.request.retries", "retries")
    names = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    return text if names <= BUILTINS | {"retries"} else None
