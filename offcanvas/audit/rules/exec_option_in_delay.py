"""Execution option handed to `.delay()`, which passes it to the task as an argument.

Bad:
    from celery import shared_task

    @shared_task
    def remind(user_id):
        ...

    def later(user_id):
        remind.delay(user_id, countdown=60)
Good:
    from celery import shared_task

    @shared_task
    def remind(user_id):
        ...

    def later(user_id):
        remind.apply_async((user_id,), countdown=60)
Why: `.delay(*args, **kwargs)` has no room for execution options: a countdown or a queue written
    there arrives as a keyword argument of the task, which fails or, with **kwargs, runs at once.
Prefect: `.delay()` of Prefect's tasks has the same trap; use `.apply_async()`.
Temporal: Start options are typed parameters of their own, so a type checker sees the mistake.
Source: https://docs.celeryq.dev/en/stable/userguide/calling.html#basics
"""

import ast
from collections.abc import Iterator

from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.sends import Send

OPTIONS = frozenset(
    {"countdown", "eta", "expires", "queue", "priority", "routing_key", "exchange", "serializer"}
    | {"link", "link_error", "task_id", "retry_policy", "time_limit", "soft_time_limit"}
)


@module_rule("CEL206", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """Options that the task has no parameter for; with **kwargs it is only likely."""
    for send in module.sends:
        if send.how not in {"delay", "delay_on_commit"} or send.canvas or send.kwargs is None:
            continue
        params = send.task.params if send.task is not None else None
        known = params.names if params is not None else frozenset[str]()
        options = sorted(OPTIONS & send.kwargs.keys() - known)
        if not options:
            continue
        doubt = ""
        if params is None:
            doubt = "the task's own parameters cannot be read"
        elif params.any_keyword:
            doubt = "the task takes **kwargs and may mean its own"
        yield module.remark(
            send.node,
            f"{', '.join(options)} goes to the task as an argument; use "
            f".apply_async(..., {options[0]}=...)",
            doubt=doubt,
            edits=() if doubt else _edits(module, send, options),
        )


def _edits(module: Module, send: Send, options: list[str]) -> tuple[Edit, ...]:
    """`t.delay(1, a=2, eta=x)` -> `t.apply_async((1,), {"a": 2}, eta=x)`."""
    func = send.node.func
    if not isinstance(func, ast.Attribute) or send.args is None or send.kwargs is None:
        return ()
    own = {k: v for k, v in send.kwargs.items() if k not in options}
    parts = []
    if send.args or own:
        comma = "," if len(send.args) == 1 else ""
        parts.append(f"({', '.join(module.segment(a) for a in send.args)}{comma})")
    if own:
        items = ", ".join(f'"{k}": {module.segment(v)}' for k, v in own.items())
        parts.append(f"{{{items}}}")
    parts += [f"{k}={module.segment(send.kwargs[k])}" for k in send.kwargs if k in options]
    method = "apply_async" if send.how == "delay" else "apply_async_on_commit"
    target = module.segment(func.value)
    return (module.replace(send.node, f"{target}.{method}({', '.join(parts)})"),)
