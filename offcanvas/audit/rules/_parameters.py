"""Whether a task gets the arguments that it is sent, or others, by its decorators or its base."""

import ast
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function

_CHANGES_ARGUMENTS: Final = frozenset({"delay", "apply_async", "apply", "__call__"})
_CHANGES: Final = frozenset({"pop", "setdefault", "update"})


def may_change(module: Module, task: Task) -> str:
    """Why the arguments that arrive may be others than those that are sent."""
    index = module.project.index
    if task.base is not None:
        for ancestor in index.ancestors(task.base):
            found = index.class_(ancestor)
            if found is not None and _CHANGES_ARGUMENTS & {*found[1].methods}:
                return f"{ancestor.rpartition('.')[2]} may change the arguments"
            if found is None and not ancestor.startswith("celery."):
                return f"{ancestor} may change the arguments"
    found_function = index.find(task.qualname)
    function = (
        found_function[0].functions.get(found_function[1]) if found_function is not None else None
    )
    if task.kind == "wrapper" or (function is not None and len(function.decorators) > 1):
        return "a decorator may change its parameters"
    return ""


def hands_over_others(module: Module, task: Task) -> bool:
    """Whether a decorator of the project is seen to call the task with other arguments.

    `def inner(*args, **kwargs): return func(session, *args, **kwargs)`, `kwargs.pop("notify")`.
    """
    there = module.open(task.path)
    function = there.function_named(task.function) if there is not None else None
    if there is None or function is None:
        return False
    for decorator in function.node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        found = there.callee(call)
        if found is not None and _changes(*found):
            return True
    return False


def _changes(module: Module, decorator: Function) -> bool:
    """Whether a function within a decorator takes `**kwargs` and does not hand on just these."""
    for inner in module.functions:
        around = inner.outer
        while around is not None and around is not decorator:
            around = around.outer
        given = inner.node.args
        if around is None or (given.vararg is None and given.kwarg is None):
            continue
        for call in module.inside(inner.node, ast.Call):
            starred = [a for a in call.args if isinstance(a, ast.Starred)]
            spread = [k for k in call.keywords if k.arg is None]
            if not starred and not spread:
                continue
            more = len(call.args) > len(starred) or len(call.keywords) > len(spread)
            if more or inner.params.positional or _takes_out(module, inner):
                return True
    return False


def _takes_out(module: Module, inner: Function) -> bool:
    """`kwargs.pop("notify")`, `del kwargs["notify"]`, `kwargs["session"] = s`."""
    kwarg = inner.node.args.kwarg
    name = kwarg.arg if kwarg is not None else ""
    calls = (c.func for c in module.inside(inner.node, ast.Call))
    changed = [f.value for f in calls if isinstance(f, ast.Attribute) and f.attr in _CHANGES]
    changed += [
        s.value
        for s in module.inside(inner.node, ast.Subscript)
        if isinstance(s.ctx, ast.Store | ast.Del)
    ]
    return any(isinstance(node, ast.Name) and node.id == name for node in changed)
