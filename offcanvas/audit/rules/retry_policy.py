"""Retry without an end, for every exception at a fixed pace, or called the wrong way.

Bad:
    from celery import shared_task

    @shared_task(max_retries=None, autoretry_for=(Exception,))
    def fetch(url):
        ...
Good:
    from celery import shared_task

    @shared_task(
        autoretry_for=(TimeoutError,), retry_backoff=True, retry_jitter=True, max_retries=5
    )
    def fetch(url):
        ...
Why: max_retries=None tries a hopeless task for ever. autoretry_for=(Exception,) tries again
    after a TypeError as well, and without back-off all failed tasks come back together, each 180
    seconds after its failure. self.retry() raises: what stands after it never runs. Its first
    parameter is the task's arguments, not the exception.
Prefect: `retries=` and `retry_delay_seconds=` (a list is a back-off), no retry by default.
Temporal: A RetryPolicy, unlimited by default: set maximum_attempts or a schedule-to-close timeout.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.max_retries
"""

import ast
from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK
from offcanvas.audit.rules import module_rule
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Const, Dict, Name, Seq

_NONE = Const(None)
_BROAD = frozenset({"Exception", "BaseException"})


@module_rule("CEL305", Severity.MEDIUM, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """The options of each task, and each call of retry()."""
    for function in module.tasks:
        if function.task is not None:
            yield from _policy(module, function, function.task)
    for call in module.walk(ast.Call):
        if module.name(call.func) == f"{TASK}.retry":
            yield from _not_raised(module, call)
            yield from _exception_as_arguments(module, call)


def _policy(module: Module, function: Function, task: Task) -> Iterator[Remark]:
    options = task.options
    wanted = options.get("autoretry_for")
    kwargs = options.get("retry_kwargs")
    endless = options.get("max_retries") == _NONE or (
        isinstance(kwargs, Dict) and kwargs.get("max_retries") == _NONE
    )
    retries = wanted is not None or any(
        module.name(c.func) == f"{TASK}.retry" for c in module.inside(function.node, ast.Call)
    )
    if endless and retries:
        yield module.remark(
            function.node,
            f"{task.name} is retried for ever (max_retries=None); give it a number",
        )
    if wanted is None or not _is_broad(wanted):
        return
    spaced = {"retry_backoff", "default_retry_delay"} & options.keys()
    if isinstance(kwargs, Dict):
        spaced |= {key for key, _, _ in kwargs.entries()} & {"countdown", "eta"}
    if not spaced:
        yield module.remark(
            function.node,
            f"{task.name} is retried for every exception, each time 180 seconds later, so that "
            "all failed ones come back together; name the passing errors and add "
            "retry_backoff=True, retry_jitter=True",
        )


def _is_broad(wanted: object) -> bool:
    items = wanted.items if isinstance(wanted, Seq) else (wanted,)
    return any(isinstance(item, Name) and item.dotted in _BROAD for item in items)


def _not_raised(module: Module, call: ast.Call) -> Iterator[Remark]:
    statement = module.parents.get(call)
    if not isinstance(statement, ast.Expr) or any(k.arg == "throw" for k in call.keywords):
        return
    around = module.parents.get(statement)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(around, name, None)
        if isinstance(block, list) and statement in block:
            after = block[block.index(statement) + 1 :]
            if after and not _only_leaves(after):
                yield module.remark(
                    call,
                    f"retry() raises: line {after[0].lineno} and what follows never runs; write "
                    "`raise self.retry(...)` and move that before it",
                    related=((module.path, after[0].lineno, "never runs"),),
                )


def _only_leaves(after: list[ast.stmt]) -> bool:
    """`self.retry(); return`: dead code that means the same."""
    return isinstance(after[0], ast.Pass | ast.Raise | ast.Continue | ast.Break | ast.Return)


def _exception_as_arguments(module: Module, call: ast.Call) -> Iterator[Remark]:
    """`retry(exc)`: the first parameter is the arguments to send the task with."""
    first = call.args[0] if call.args else None
    bound = module.bindings(first.id, first) if isinstance(first, ast.Name) else None
    if first is not None and bound and all(isinstance(b.node, ast.ExceptHandler) for b in bound):
        yield module.remark(
            call,
            f"retry({module.text(first)}) sends the task again with the exception as its "
            f"arguments; write retry(exc={module.text(first)})",
            edits=(module.replace(first, f"exc={module.segment(first)}"),),
        )
