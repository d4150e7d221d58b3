"""Task that lifts Celery's guard against waiting, or polls a result until it is there.

Bad:
    import time

    from celery import shared_task

    @shared_task
    def part(n):
        return n

    @shared_task
    def whole(n):
        job = part.delay(n)
        while not job.ready():
            time.sleep(5)
        return "done"
Good:
    from celery import shared_task

    @shared_task
    def part(n):
        return n

    @shared_task
    def finish(n):
        return "done"

    @shared_task(bind=True)
    def whole(self, n):
        return self.replace(part.s(n) | finish.s())
Why: allow_join_result() switches off the check that forbids a task to wait for another, and a loop
    around ready() never meets it. Either way the worker process is held, and when all are held
    the results they wait for never come.
Prefect: Waiting in a flow takes no slot of the tasks.
Temporal: A workflow waits without a slot; an activity should not wait for another.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#avoid-launching-synchronous-subtasks
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import RESULT
from offcanvas.audit.reach import Place, leads_to
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._transactions import is_view
from offcanvas.audit.tree import Function

_GUARDS: Final = frozenset({"celery.result.allow_join_result", "celery._state.allow_join_result"})
_ASKS: Final = frozenset(
    {f"{RESULT}.{m}" for m in ("ready", "successful", "failed", "completed_count", "waiting")}
)
_ROUTES: Final = frozenset(
    {"route", "get", "post", "put", "patch", "delete", "websocket", "action"}
)
"""Decorators of Flask, FastAPI and others that make a function answer requests."""
_STATES: Final = frozenset({"state", "status"})


@module_rule("CEL302", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Guards lifted in tasks or their helpers, and polling loops."""
    told = set()
    for call in module.walk(ast.Call):
        task = module.task_around(call)
        found = leads_to(module, call, _lifts_or_polls) if task is not None else None
        if task is not None and found is not None and (found.path, found.place.line) not in told:
            told.add((found.path, found.place.line))
            yield module.remark(
                call,
                f"{task.name} calls {found.way}, which {found.place.what} in line "
                f"{found.place.line} of {found.path}; use a chain, a chord or self.replace()",
                related=((found.path, found.place.line, "here"),),
            )
        if module.name(call.func) in _GUARDS:
            if task is None and _in_view(module, call):
                continue  # a request may wait; the guard is for tasks
            yield module.remark(
                call,
                f"{task.name if task else 'this'} lifts the guard against waiting for a result "
                "in a task; use a chain, a chord or self.replace()",
                doubt="" if task else "it does nothing unless a task calls this function",
            )
    for loop in module.walk(ast.While):
        if polls(module, loop):
            task = module.task_around(loop)
            if task is not None:
                yield module.remark(
                    loop.test,
                    f"{task.name} polls a result and holds its worker meanwhile; use a chain, a "
                    "chord or self.replace()",
                )
            elif not _bounded(module, loop) and not _in_view(module, loop):
                yield module.remark(
                    loop.test,
                    "this loop polls a result without a limit: it never ends when the result is "
                    "lost or expires; use .get(timeout=...) or count the rounds",
                    doubt="something around it may stop it",
                )


def _lifts_or_polls(module: Module, function: Function) -> Place | None:
    """Where a function that is not a task lifts the guard, or polls a result."""
    for call in module.inside(function.node, ast.Call):
        if module.name(call.func) in _GUARDS:
            return Place(call.lineno, "lifts the guard against waiting for a result in a task")
    for loop in module.inside(function.node, ast.While):
        if polls(module, loop):
            return Place(loop.lineno, "polls a result and holds the worker meanwhile")
    return None


def _in_view(module: Module, node: ast.AST) -> bool:
    """Whether a node runs for a request: in a view, or a function that takes the request."""
    function = module.function(node)
    while function is not None:
        if is_view(module, function) or "request" in function.params.names:
            return True
        decorators = (getattr(d, "func", d) for d in function.node.decorator_list)
        if any(isinstance(d, ast.Attribute) and d.attr in _ROUTES for d in decorators):
            return True
        function = function.outer
    return False


def polls(module: Module, loop: ast.While) -> bool:
    """Whether a loop goes on until a result is ready, asked in its test or before a `break`."""
    asked: list[ast.AST] = [loop.test, *ast.walk(loop.test)]
    for branch in module.inside(loop, ast.If):
        if any(module.inside(branch, ast.Break, ast.Return)):
            asked += ast.walk(branch.test)
    for node in asked:
        if isinstance(node, ast.Call) and module.name(node.func) in _ASKS:
            return True
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _STATES
            and module.instance(node.value) == RESULT
        ):
            return True
    return False


def _bounded(module: Module, loop: ast.While) -> bool:
    """A loop that compares something, or leaves or raises for a reason of its own."""
    compares = any(
        isinstance(n, ast.Compare)
        and any(isinstance(o, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for o in n.ops)
        for n in ast.walk(loop)
    )
    return compares or any(module.inside(loop, ast.Raise))
