"""Execution option of a type that Celery refuses when the task is sent.

Bad:
    from datetime import timedelta

    from celery import shared_task

    @shared_task
    def mail(to):
        ...

    def later(to):
        mail.apply_async((to,), expires=timedelta(hours=1))
Good:
    from celery import shared_task

    @shared_task
    def mail(to):
        ...

    def later(to):
        mail.apply_async((to,), expires=60 * 60)
Why: A countdown is a number of seconds, an ETA is a point in time, and what expires does so after a
    number of seconds or at a point in time. Celery takes the option as it is and fails on any other
    type while it builds the message: an AttributeError or TypeError where the task is sent, or a
    periodic task that never goes out and is only seen in the log of beat.
Prefect: Scheduled times are typed parameters of the run.
Temporal: Timeouts and delays are timedelta, and other types are refused by the type checker.
Source: https://docs.celeryq.dev/en/stable/userguide/calling.html#expiration
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.values import Call, Const, Name, Value

_TAKES: Final = {
    "countdown": "a number of seconds",
    "expires": "a number of seconds or a point in time",
    "eta": "a point in time",
}
_DELTA: Final = "datetime.timedelta"


@module_rule("CEL208", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """Options of sends and of signatures, of the tasks of this file and of its beat entries."""
    for send in module.sends:
        for option, node in send.options.items():
            if option in _TAKES:
                yield from _judged(module, option, node)
    for call in module.walk(ast.Call):
        if module.name(call.func) == "celery.Signature.set":
            for keyword in call.keywords:
                if keyword.arg in _TAKES:
                    yield from _judged(module, keyword.arg, keyword.value)
    for function in module.tasks:
        expires = function.task.options.get("expires") if function.task is not None else None
        if function.task is not None and expires is not None and _is_delta(module, expires):
            yield module.remark(
                function.node,
                f"expires of {function.task.name} is a timedelta, and Celery takes "
                f"{_TAKES['expires']}: every send of it fails",
            )
    for entry in module.project.beat:
        expires = entry.options.get("expires") if entry.path == module.path else None
        if expires is not None and _is_delta(module, expires, entry.scope):
            yield Remark(
                entry.path,
                entry.line,
                1,
                f"the periodic task {entry.key!r} expires after a timedelta, and Celery takes "
                f"{_TAKES['expires']}: it is never sent",
            )


def _judged(module: Module, option: str, node: ast.expr) -> Iterator[Remark]:
    options = module.possible(node)
    wrong = next((w for e in options if (w := _wrong(module, option, e))), "")
    if wrong:
        yield module.remark(
            node,
            f"{option} is {wrong}, and Celery takes {_TAKES[option]}: the send fails",
            doubt="" if len(options) == 1 else "only one of the values that it may have is",
        )


def _wrong(module: Module, option: str, node: ast.expr) -> str:
    """What an option is when that cannot be, or ""."""
    if isinstance(node, ast.Call) and module.name(node.func) == _DELTA:
        return "a timedelta"
    said = module.literal(node)
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    if option == "eta" and is_number and said:
        return "a number"
    if option == "countdown" and isinstance(said, str):
        return "a text"
    return ""


def _is_delta(module: Module, value: Value, scope: str = "") -> bool:
    index = module.project.index
    known = index.constant(module.facts, value, scope)
    if isinstance(known, Const) or not isinstance(known, Call) or not isinstance(known.func, Name):
        return False
    return index.resolve(module.facts, known.func.dotted, scope) == _DELTA
