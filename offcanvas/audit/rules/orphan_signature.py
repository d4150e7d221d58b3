"""Signature or canvas that is built and never sent.

Bad:
    from celery import shared_task

    @shared_task
    def finish(order_id):
        ...

    @shared_task
    def ship(order_id):
        finish.si(order_id)
Good:
    from celery import shared_task

    @shared_task
    def finish(order_id):
        ...

    @shared_task
    def ship(order_id):
        finish.si(order_id).delay()
Why: A signature only describes a call. One that is dropped runs nothing and raises nothing; one
    that a task returns is stored as its result, a dictionary, and runs no more than the first.
Prefect: Calling a task runs it; a future that is dropped has been submitted all the same.
Temporal: start_activity starts it; a coroutine that is not awaited is warned about.
Source: https://docs.celeryq.dev/en/stable/userguide/canvas.html#signatures
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import APP, BUILDERS, SIGNATURE, TASK
from offcanvas.audit.rules import module_rule

_BUILT: Final = BUILDERS | {
    f"{APP}.signature",
    *(f"{TASK}.{m}" for m in ("s", "si", "signature", "subtask", "map", "starmap", "chunks")),
}
_ON_A_SIGNATURE: Final = frozenset({f"{SIGNATURE}.{m}" for m in ("set", "on_error", "clone")})


@module_rule("CEL401", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """Signatures as statements, in variables that nobody reads, and as results of tasks."""
    for statement in module.walk(ast.Expr):
        if _is_built(module, statement.value) and not _expects_error(module, statement):
            yield module.remark(
                statement.value,
                f"{module.text(statement.value)} is built and dropped: nothing is sent; "
                "add .delay()",
                edits=_sent(module, statement.value),
            )
    for assign in module.walk(ast.Assign):
        if _is_built(module, assign.value) and _never_read(module, assign):
            yield module.remark(
                assign.value,
                f"{module.text(assign.targets[0])} is built and never used: nothing is sent",
            )
    for returned in module.walk(ast.Return):
        yield from _returned(module, returned)


def _is_built(module: Module, node: ast.expr) -> bool:
    """Whether an expression makes a new signature here, and does nothing else."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitOr) and module.instance(node) == SIGNATURE
    if not isinstance(node, ast.Call):
        return False
    name = module.name(node.func)
    if name in _BUILT:
        return True
    if name in _ON_A_SIGNATURE and isinstance(node.func, ast.Attribute):
        return _is_built(module, node.func.value)
    return False


def _expects_error(module: Module, node: ast.AST) -> bool:
    """`with pytest.raises(...)` around a signature that cannot be built."""
    return any(
        isinstance(item.context_expr, ast.Call)
        and module.text(item.context_expr.func).rpartition(".")[2].lower().find("raises") >= 0
        for block in module.around(node)
        if isinstance(block, ast.With)
        for item in block.items
    )


def _never_read(module: Module, assign: ast.Assign) -> bool:
    function = module.function(assign)
    target = assign.targets[0]
    if function is None or len(assign.targets) > 1 or not isinstance(target, ast.Name):
        return False
    if target.id.startswith("_") or _expects_error(module, assign):
        return False
    return not any(_reads(node, target.id) for node in ast.walk(function.node))


def _reads(node: ast.AST, name: str) -> bool:
    """Whether a node may use a local variable, or shows that it is none."""
    if isinstance(node, ast.Name):
        return node.id == name and not isinstance(node.ctx, ast.Store)
    if isinstance(node, ast.Global | ast.Nonlocal):
        return name in node.names
    if isinstance(node, ast.AugAssign):
        return _is(node.target, name)
    return isinstance(node, ast.Call) and _is(node.func, "locals")


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _returned(module: Module, returned: ast.Return) -> Iterator[Remark]:
    function = module.function(returned)
    if returned.value is None or function is None or function.task is None:
        return
    options = module.possible(returned.value)
    if not options or not all(_is_built(module, option) for option in options):
        return
    task = function.task
    first = function.params.items[0].name if task.bound and function.params.items else ""
    edits: tuple[Edit, ...] = ()
    if first:
        text = f"{first}.replace({module.segment(returned.value)})"
        edits = (module.replace(returned.value, text),)
    yield module.remark(
        returned.value,
        f"{task.name} returns a signature, which is stored as its result and never runs; "
        "bind the task and `return self.replace(...)`, or send it",
        edits=edits,
    )


def _sent(module: Module, node: ast.expr) -> tuple[Edit, ...]:
    """`.delay()` behind it, in a task: elsewhere a broker may not be meant to be asked."""
    if module.task_around(node) is None:
        return ()
    written = module.segment(node)
    text = f"({written})" if isinstance(node, ast.BinOp) else written
    return (module.replace(node, f"{text}.delay()"),)
