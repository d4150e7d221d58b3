"""A task that waits for another task's result.

Bad:
    from celery import shared_task

    @shared_task
    def total(n):
        return n

    @shared_task
    def report(n):
        return total.delay(n).get() + 1
Good:
    from celery import shared_task

    @shared_task
    def total(n):
        return n

    @shared_task
    def plus_one(n):
        return n + 1

    @shared_task(bind=True)
    def report(self, n):
        return self.replace(total.s(n) | plus_one.s())
Why: The waiting task holds its worker process. When all processes wait, the tasks they wait for
    never start: a deadlock that comes with load.
Prefect: `future.result()` inside a flow is the normal way; flows and tasks do not share slots.
Temporal: A workflow awaits an activity without holding a worker slot.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#avoid-launching-synchronous-subtasks
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import RESULT
from offcanvas.audit.reach import Place, Reached, leads_to
from offcanvas.audit.rules import module_rule
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function

WAITS: Final = frozenset(
    f"{RESULT}.{m}" for m in ("get", "join", "join_native", "wait", "wait_for")
)
_ASKED: Final = ("ready", "successful", "failed")


@module_rule("CEL301", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Waits in a task's own body, and in functions of the project that it leads to."""
    told = set()
    for call in module.walk(ast.Call):
        task = module.task_around(call)
        if task is None or _eager(module, call):
            continue
        if module.name(call.func) in WAITS:
            yield _waits(module, call, task)
            continue
        found = leads_to(module, call, _wait_in)
        if found is None or _within(module, call, found):
            continue
        if (found.path, found.place.line) not in told:
            told.add((found.path, found.place.line))
            yield module.remark(
                call,
                f"{task.name} calls {found.way}, which waits for a result in line "
                f"{found.place.line} of {found.path} and holds the worker meanwhile",
                doubt=found.place.doubt,
                related=((found.path, found.place.line, "waits here"),),
            )


def _within(module: Module, call: ast.Call, found: Reached) -> bool:
    """Whether the place lies in a function within the task itself, which is said there."""
    function = module.function(call)
    while function is not None and function.outer is not None:
        function = function.outer
    if function is None or found.path != module.path:
        return False
    return function.node.lineno <= found.place.line <= (function.node.end_lineno or 0)


def _waits(module: Module, call: ast.Call, task: Task) -> Remark:
    if known_ready(module, call):
        return module.remark(
            call,
            f"{task.name} asks for a result that is ready by now; get() in a task raises "
            "RuntimeError all the same: read .result",
            severity=Severity.LOW,
        )
    guard = ""
    if any(k.arg == "disable_sync_subtasks" for k in call.keywords):
        guard = "; disable_sync_subtasks=False only silences the warning"
    return module.remark(
        call,
        f"{task.name} waits for a result and holds its worker meanwhile; use a chain, a "
        f"chord or self.replace(){guard}",
    )


def _wait_in(module: Module, function: Function) -> Place | None:
    """The first wait in a function's own body."""
    for call in module.inside(function.node, ast.Call):
        waits = module.name(call.func) in WAITS and not _eager(module, call)
        if waits and not known_ready(module, call):
            return Place(call.lineno)
    return None


def known_ready(module: Module, call: ast.Call) -> bool:
    """Whether the result was seen to be ready: `if not r.ready(): raise self.retry()` before, or
    `if r.ready():` around."""
    if not isinstance(call.func, ast.Attribute):
        return False
    result = ast.unparse(call.func.value)
    statement: ast.AST = call
    for ancestor in module.around(call):
        within = isinstance(ancestor, ast.If) and statement in ancestor.body
        if within and isinstance(ancestor, ast.If) and _says_ready(ancestor.test, result):
            return True
        for name in ("body", "orelse", "finalbody"):
            block = getattr(ancestor, name, None)
            if isinstance(block, list) and statement in block:
                before = block[: block.index(statement)]
                if any(_leaves_unless_ready(s, result) for s in before):
                    return True
        statement = ancestor
    function = module.function(call)
    if function is None or statement not in function.node.body:
        return False
    before = function.node.body[: function.node.body.index(statement)]
    return any(_leaves_unless_ready(s, result) for s in before)


def _says_ready(test: ast.expr, result: str) -> bool:
    """`r.ready()`, `r.successful() and ...`, `r.state == "SUCCESS"`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_says_ready(v, result) for v in test.values)
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
        return ast.unparse(test.left) in {f"{result}.state", f"{result}.status"}
    return isinstance(test, ast.Call) and ast.unparse(test.func) in {
        f"{result}.{asked}" for asked in _ASKED
    }


def _leaves_unless_ready(statement: ast.stmt, result: str) -> bool:
    if not isinstance(statement, ast.If) or not isinstance(
        statement.body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break
    ):
        return False
    tests = statement.test.values if isinstance(statement.test, ast.BoolOp) else [statement.test]
    return any(
        isinstance(t, ast.UnaryOp) and isinstance(t.op, ast.Not) and _says_ready(t.operand, result)
        for t in tests
    )


def _eager(module: Module, call: ast.Call) -> bool:
    """`task.apply().get()` runs in the same process: nothing is waited for."""
    func = call.func
    if not isinstance(func, ast.Attribute):
        return False
    return all(
        isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) and e.func.attr == "apply"
        for e in module.possible(func.value)
    )
