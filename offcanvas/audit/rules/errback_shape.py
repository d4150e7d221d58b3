"""An error callback that cannot be called with what Celery gives it, or that is called twice.

Bad:
    from celery import shared_task

    @shared_task
    def load(path):
        ...

    @shared_task
    def on_fail(request, exc):
        ...

    def run(path):
        load.apply_async((path,), link_error=on_fail.s())
Good:
    from celery import shared_task

    @shared_task
    def load(path):
        ...

    @shared_task
    def on_fail(request, exc, traceback):
        ...

    def run(path):
        load.apply_async((path,), link_error=on_fail.s())
Why: An unbound task with two or more parameters left is called in the worker with (request,
    exception, traceback); one with a single parameter, a bound task and a class task are sent as a
    message with the id of the failed task alone. Arguments of `.s(...)` come after these, `.si()`
    gets its own only. A misfit is logged where the first error should have been handled.
Prefect: `on_failure` hooks have one fixed signature.
Temporal: An except block around the activity.
Source: https://docs.celeryq.dev/en/stable/userguide/calling.html#linking-callbacks-errbacks
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.names import SIGNATURE, TASK
from offcanvas.audit.outline import Outline
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._parameters import hands_over_others, may_change

_TAKES: frozenset[str] = frozenset(
    {f"{TASK}.{m}" for m in ("apply_async", "signature", "subtask")}
    | {f"{SIGNATURE}.{m}" for m in ("set", "apply_async", "on_error", "link_error")}
)
_DIRECT = frozenset({f"{SIGNATURE}.on_error", f"{SIGNATURE}.link_error"})


@dataclass(frozen=True)
class _Errback:
    """One errback as written, and the call that attaches it."""

    node: ast.expr
    outline: Outline
    call: ast.Call


@module_rule("CEL407", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Every errback that is written where it is attached, or assigned to a name before."""
    for call in module.walk(ast.Call):
        if module.name(call.func) not in _TAKES:
            continue
        errbacks = [*_errbacks(module, call)]
        seen: set[str] = set()
        for errback in errbacks:
            yield from _misfit(module, errback)
            text = ast.unparse(errback.node)
            if text in seen:
                yield module.remark(
                    errback.node, f"{errback.outline.name} is attached twice and runs twice"
                )
            seen.add(text)
            yield from _same_as_guarded(module, errback)


def _errbacks(module: Module, call: ast.Call) -> Iterator[_Errback]:
    given = [k.value for k in call.keywords if k.arg == "link_error"]
    if module.name(call.func) in _DIRECT:
        given += call.args[:1]
    for written in given:
        options = module.possible(written)
        value = options[0] if len(options) == 1 else written
        for node in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
            outline = module.outline(node)
            if outline is not None and outline.kind == "task":
                yield _Errback(node, outline, call)


def _misfit(module: Module, errback: _Errback) -> Iterator[Remark]:
    outline = errback.outline
    task, args, kwargs = outline.task, outline.args, outline.kwargs
    if task is None or task.params is None or args is None or kwargs is None:
        return
    if hands_over_others(module, task):
        return
    shapes = {False, True} if outline.immutable else _shapes(outline)
    problems = []
    for in_worker in sorted(shapes):
        added = 0 if outline.immutable else 3 if in_worker else 1
        why = task.params.misfit(added + len(args), kwargs)
        if why is None:
            if len(shapes) == 1 and not outline.immutable:
                yield from _displaced(module, errback, added)
            return
        problems.append((in_worker, why))
    in_worker, why = problems[-1]
    gives = "the id of the failed task" if not in_worker else "(request, exc, traceback)"
    given = "its own arguments alone (.si)" if outline.immutable else gives
    yield module.remark(
        errback.node,
        f"the errback {outline.name} {why} when Celery calls it with {given}"
        f"{' and its own arguments' if args and not outline.immutable else ''}",
        doubt=may_change(module, task),
    )


def _displaced(module: Module, errback: _Errback, added: int) -> Iterator[Remark]:
    """`.s(backup)` of a task whose parameter `backup` comes first: the task's id lands there."""
    task, args = errback.outline.task, errback.outline.args
    if task is None or task.params is None or args is None:
        return
    names = [p.name for p in task.params.positional]
    for place, argument in enumerate(args):
        if not (isinstance(argument, ast.Name) and argument.id in names):
            continue
        meant, got = names.index(argument.id), place + added
        if meant < added and meant != got:
            comes = "the id of the failed task" if added == 1 else "(request, exc, traceback)"
            yield module.remark(
                errback.node,
                f"the errback {task.name} gets {comes} first, so {argument.id!r} is not what the "
                f"parameter {argument.id!r} receives; use .si(), or take it as a keyword",
            )
            return


def _shapes(outline: Outline) -> set[bool]:
    """How it is called: True in the worker with three arguments, False as a message with one.

    Versions of Celery differ in whether stored arguments count; a misfit in one of them that fits
    in the other is nobody's certain fault, so both are given.
    """
    task = outline.task
    if task is None or task.params is None or task.bound or task.kind == "class":
        return {False}
    if task.params.most is None:
        return {True}
    stored = len(outline.args or ()) + len(outline.kwargs or {})
    return {task.params.most > 1, task.params.most - stored > 1}


def _same_as_guarded(module: Module, errback: _Errback) -> Iterator[Remark]:
    """`cb = report.si(); cb.set(link_error=[report.si()])`: runs again when it fails itself."""
    func = errback.call.func
    if not isinstance(func, ast.Attribute):
        return
    guarded = module.outline(func.value)
    task = guarded.task if guarded is not None and guarded.kind == "task" else None
    if task is None:
        task = module.task(func.value)
    if task is not None and task is errback.outline.task:
        yield module.remark(
            errback.node,
            f"{task.name} is its own errback: it cannot tell success from failure, and runs again "
            "after it has failed itself",
            doubt="it may be meant to run in either case",
        )
