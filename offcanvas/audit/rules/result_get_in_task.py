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

from offcanvas.audit.finding import Finding, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import RESULT
from offcanvas.audit.rules import module_rule

_WAITS = frozenset(f"{RESULT}.{m}" for m in ("get", "join", "join_native", "wait", "wait_for"))


@module_rule("CEL301", Severity.HIGH)
def check(module: Module) -> Iterator[Finding]:
    """Waits in a task's own body, and in a function of the project that a task calls."""
    for call in module.walk(ast.Call):
        task = module.task_around(call)
        if task is None or _eager(module, call):
            continue
        if module.name(call.func) in _WAITS:
            guard = ""
            if any(k.arg == "disable_sync_subtasks" for k in call.keywords):
                guard = "; disable_sync_subtasks=False only silences the warning"
            yield module.finding(
                call,
                f"{task.name} waits for a result and holds its worker meanwhile; use a chain, a "
                f"chord or self.replace(){guard}",
            )
            continue
        found = module.callee(call)
        if found is None or found[1].task is not None:
            continue
        there, helper = found
        for wait in there.inside(helper.node, ast.Call):
            if there.name(wait.func) in _WAITS and not _eager(there, wait):
                yield module.finding(
                    call,
                    f"{task.name} calls {helper.name}(), which waits for a result in line "
                    f"{wait.lineno} of {there.path} and holds the worker meanwhile",
                    related=((there.path, wait.lineno, "waits here"),),
                )
                break


def _eager(module: Module, call: ast.Call) -> bool:
    """`task.apply().get()` runs in the same process: nothing is waited for."""
    func = call.func
    if not isinstance(func, ast.Attribute):
        return False
    return all(
        isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) and e.func.attr == "apply"
        for e in module.possible(func.value)
    )
