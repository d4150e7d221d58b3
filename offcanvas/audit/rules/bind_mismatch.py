"""Task whose `self` does not agree with bind=True, or a send whose arguments cannot fit the task.

Bad:
    from celery import shared_task

    @shared_task
    def load(self, url):
        ...

    def start(url):
        load.delay(url)
Good:
    from celery import shared_task

    @shared_task(bind=True)
    def load(self, url):
        ...

    def start(url):
        load.delay(url)
Why: Without bind=True the first argument of the sender lands in `self` and the last one is
    missing; with bind=True and no parameter for it the task instance lands in the data. A send
    with arguments that do not fit fails where it is sent, or in the worker when it is sent by name.
Prefect: Has no bind; arguments are checked against the signature when a task is called.
Temporal: Has no bind; a type checker sees arguments of execute_activity that do not fit.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#bound-tasks
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.facts import Params
from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._parameters import hands_over_others, may_change
from offcanvas.audit.rules.exec_option_in_delay import OPTIONS
from offcanvas.audit.sends import Send
from offcanvas.audit.tasks import Task
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Const

_CHECKED: Final = frozenset(
    {"delay", "apply_async", "apply", "send_task", "delay_on_commit", "apply_async_on_commit"}
)


@module_rule("CEL311", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """The first parameter of each task, and the arguments of each send."""
    for function in module.tasks:
        if function.task is not None and function.owner is None:
            yield from _first_parameter(module, function, function.task)
    for send in module.sends:
        if send.how in _CHECKED and not send.canvas and send.task is not None:
            yield from _arguments(module, send, send.task)


def _first_parameter(module: Module, function: Function, task: Task) -> Iterator[Remark]:
    first = next(iter(function.params.items), None)
    decorators = function.node.decorator_list
    doubt = "another decorator may change its parameters" if len(decorators) > 1 else ""
    if task.kind not in {"app", "shared"}:
        doubt = doubt or "the decorator of the project's own may bind it"
    if task.bound:
        if first is None or first.kind in {"keyword", "kwargs"}:
            yield module.remark(
                function.node,
                f"{task.name} is bound and has no parameter for the task itself: add `self`",
                doubt=doubt,
            )
        return
    if first is None or first.name != "self" or first.default:
        return
    if task.options.get("bind") not in {None, Const(False)} or _spread(decorators):
        return
    yield module.remark(
        function.node,
        f"{task.name} takes `self` and is not bound: the sender's first argument lands there; "
        "add bind=True",
        doubt=doubt,
        edits=() if doubt else _bound(module, decorators[0]),
    )


def _spread(decorators: list[ast.expr]) -> bool:
    """`@app.task(**options)`: bind may be among them."""
    return any(k.arg is None for d in decorators if isinstance(d, ast.Call) for k in d.keywords)


def _bound(module: Module, decorator: ast.expr) -> tuple[Edit, ...]:
    if not isinstance(decorator, ast.Call):
        return (module.replace(decorator, f"{module.segment(decorator)}(bind=True)"),)
    if any(k.arg == "bind" for k in decorator.keywords):
        return ()  # bind=False is written on purpose
    if decorator.keywords:
        at = decorator.keywords[0]
        return (Edit(at.lineno, at.col_offset, at.lineno, at.col_offset, "bind=True, "),)
    if decorator.args:
        last = decorator.args[-1]
        line, column = last.end_lineno or last.lineno, last.end_col_offset or last.col_offset
        return (Edit(line, column, line, column, ", bind=True"),)
    return (module.replace(decorator, f"{module.segment(decorator.func)}(bind=True)"),)


def _arguments(module: Module, send: Send, task: Task) -> Iterator[Remark]:
    if task.params is None:
        return
    if send.args is None or send.kwargs is None:
        yield from _of_those_written(module, send, task, task.params)
        return
    if send.how.startswith("delay") and OPTIONS & send.kwargs.keys() - task.params.names:
        return  # exec-option-in-delay says it
    first = next(iter(task.params.items), None)
    if first is not None and first.name == "self":
        return  # said where the task is defined
    why = task.params.misfit(len(send.args), send.kwargs)
    if why is not None and not hands_over_others(module, task):
        yield module.remark(
            send.node,
            f"{task.name} {why}",
            doubt=may_change(module, task),
            related=((task.path, task.line, "defined here"),),
        )


def _of_those_written(module: Module, send: Send, task: Task, params: Params) -> Iterator[Remark]:
    """`add.delay(1, 2, *more, wrong=3)`: what is written beside a `*args` is still too much."""
    if send.how.startswith("delay") and OPTIONS & send.named.keys() - params.names:
        return  # exec-option-in-delay says it
    why = params.too_much(len(send.written), send.named)
    first = next(iter(params.items), None)
    if why is None or (first is not None and first.name == "self"):
        return
    if not hands_over_others(module, task):
        yield module.remark(
            send.node,
            f"{task.name} {why}",
            doubt=may_change(module, task),
            related=((task.path, task.line, "defined here"),),
        )
