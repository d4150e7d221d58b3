"""Why a task may run a second time after it has done something."""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK
from offcanvas.audit.resolution import literal
from offcanvas.audit.rules._transactions import transaction_around
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Const

_QUIET: Final = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print", "len"}
    | {"str", "int", "format", "append", "isinstance"}
)
LATE: Final = "only a worker or connection lost before the acknowledgement repeats it"
"""The doubt about a task that is repeated for no other reason than acks_late."""


def task_function(module: Module, node: ast.AST) -> Function | None:
    """The function of the task that a node runs in, when it is not a function nested in it."""
    function = module.function(node)
    return function if function is not None and function.task is not None else None


def repeats(
    module: Module, function: Function, node: ast.AST, *, itself: bool = False
) -> tuple[str, str] | None:
    """(why a task runs again after `node`, doubt), or None when nothing says that it may.

    `itself`: the failure of `node` counts too, because it may have worked all the same.
    """
    task = function.task
    if task is None:
        return None
    wanted = task.options.get("autoretry_for")
    if wanted is not None and wanted != Const(None) and (itself or _fails_after(module, node)):
        return "autoretry_for", ""
    for call in module.inside(function.node, ast.Call):
        if module.name(call.func) == f"{TASK}.retry" and _leads_to(module, node, call, itself):
            return f"retry() in line {call.lineno}", ""
    if literal(module.project.settings.of_task(task, "acks_late")) is True:
        return "acks_late", LATE
    return None


def _leads_to(module: Module, node: ast.AST, retry: ast.Call, itself: bool) -> bool:
    """Whether what stands at `node` may be done before a retry is asked for."""
    handler = next((a for a in module.around(retry) if isinstance(a, ast.ExceptHandler)), None)
    block = module.parents.get(handler) if handler is not None else None
    if not isinstance(block, ast.Try):
        return _end(node) < retry.lineno and not _leaves(module, node, retry)
    if block.lineno > _end(node):
        return not _leaves(module, node, retry)
    inside = any(s.lineno <= _line(node) and _end(node) <= _end(s) for s in block.body)
    return inside and (itself or any(_loud(module, node, block.body)))


def _leaves(module: Module, node: ast.AST, retry: ast.Call) -> bool:
    """Whether a return or raise follows `node` in its branch, so that `retry` is not reached."""
    statement: ast.AST = node
    for ancestor in module.around(node):
        for name in ("body", "orelse"):
            block = getattr(ancestor, name, None)
            if isinstance(block, list) and statement in block:
                after = block[block.index(statement) :]
                around = any(n is retry for n in ast.walk(ancestor))
                if not around and any(
                    isinstance(s, ast.Return | ast.Raise | ast.Continue) for s in after
                ):
                    return True
                other = "orelse" if name == "body" else "body"
                if isinstance(ancestor, ast.If) and any(
                    n is retry for s in getattr(ancestor, other) for n in ast.walk(s)
                ):
                    return True  # the other branch of the same condition
        statement = ancestor
    return False


def _fails_after(module: Module, node: ast.AST) -> bool:
    """Whether something that may fail is done after a node, outside of its transaction."""
    if module.loop_around(node) is not None and transaction_around(module, node) is None:
        return True
    function = module.function(node)
    return function is not None and any(_loud(module, node, function.node.body))


def _loud(module: Module, node: ast.AST, body: list[ast.stmt]) -> Iterator[ast.Call]:
    """Calls after a node that may raise; those in the transaction around it take it back."""
    opened = transaction_around(module, node)
    within = set()
    if opened is not None:
        for ancestor in module.around(node):
            if isinstance(ancestor, ast.With | ast.AsyncWith):
                within |= {id(n) for n in ast.walk(ancestor)}
        function = module.function(node)
        if function is not None and opened.node in function.node.decorator_list:
            return
    leaves = [
        s
        for a in (node, *module.around(node))
        for s in _following(module, a)
        if isinstance(s, ast.Return | ast.Raise)
    ]
    last = min((_end(s) for s in leaves), default=10**9)
    for statement in body:
        for call in ast.walk(statement):
            if not isinstance(call, ast.Call) or not _end(node) < call.lineno <= last:
                continue
            func = call.func
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            handled = any(isinstance(a, ast.ExceptHandler) for a in module.around(call))
            if name not in _QUIET and id(call) not in within and not handled:
                yield call


def _following(module: Module, node: ast.AST) -> list[ast.stmt]:
    above = module.parents.get(node)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(above, name, None)
        if isinstance(block, list) and node in block:
            return block[block.index(node) + 1 :]
    return []


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _end(node: ast.AST) -> int:
    return getattr(node, "end_lineno", None) or _line(node)
