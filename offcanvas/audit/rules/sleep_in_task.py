"""Task that sleeps and holds its worker process meanwhile.

Bad:
    import time

    from celery import shared_task

    @shared_task
    def read_back(key):
        time.sleep(5)
        return key
Good:
    from celery import shared_task

    @shared_task(bind=True)
    def read_back(self, key):
        if not key:
            raise self.retry(countdown=5)
        return key
Why: A sleeping task does nothing and takes a whole process of the worker. Under load all
    processes sleep and the queue stands. A retry with a countdown gives the process back.
Prefect: `retry_delay_seconds`, or a scheduled run.
Temporal: A workflow's timer takes no slot.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.reach import Place, leads_to
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._seconds import seconds, spoken
from offcanvas.audit.rules.join_guard_off_or_poll import polls
from offcanvas.audit.tree import Function

_SLEEPS: Final = frozenset({"time.sleep", "gevent.sleep", "eventlet.sleep"})
_SHORT: Final = 0.1
_PACE: Final = 1.0
"""Up to a second between the items of a loop is a rate limit."""
_CLOCKS: Final = frozenset({"time.monotonic", "time.perf_counter", "time.time"})
_PACED = "a pause between the rounds of a loop may be a rate limit"


@module_rule("CEL303", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Sleeps in a task's body, and in functions of the project that it leads to."""
    told = set()
    for call in module.walk(ast.Call):
        task = module.task_around(call)
        if task is None:
            continue
        if module.name(call.func) in _SLEEPS:
            said = _judged(module, call)
            if said is not None:
                long, doubt = said
                yield module.remark(
                    call,
                    f"{task.name} sleeps {long} and holds its worker; raise "
                    "self.retry(countdown=...) or send the rest as a task of its own",
                    doubt=doubt,
                )
            continue
        found = leads_to(module, call, _sleep_in)
        if found is not None and (found.path, found.place.line) not in told:
            told.add((found.path, found.place.line))
            yield module.remark(
                call,
                f"{task.name} calls {found.way}, which sleeps {found.place.what} in line "
                f"{found.place.line} of {found.path} and holds the worker",
                doubt=found.place.doubt,
                related=((found.path, found.place.line, "sleeps here"),),
            )


def _sleep_in(module: Module, function: Function) -> Place | None:
    """The first long sleep in a function's own body."""
    for call in module.inside(function.node, ast.Call):
        said = _judged(module, call) if module.name(call.func) in _SLEEPS else None
        if said is not None:
            return Place(call.lineno, *said)
    return None


def _judged(module: Module, call: ast.Call) -> tuple[str, str] | None:
    """(how long, doubt) of a sleep, or None when it is short or another rule speaks of it."""
    loop = module.loop_around(call)
    if isinstance(loop, ast.While) and polls(module, loop):
        return None  # join-guard-off-or-poll says it
    given = call.args[0] if call.args else None
    amount = seconds(module, given) if given is not None else None
    if amount is not None and amount <= _SHORT:
        return None
    if given is not None and loop is not None and _rest_of_window(module, given):
        return None
    in_loop = isinstance(loop, ast.For | ast.AsyncFor)
    if amount is not None and amount <= _PACE and in_loop:
        return None
    doubt = _PACED if in_loop else ""
    if amount is None:
        return f"({module.text(call)})", doubt or "how long cannot be told"
    return spoken(amount), doubt


def _rest_of_window(module: Module, node: ast.expr) -> bool:
    """`window - (monotonic() - start)`: what is left of a rate limit's window."""
    for option in module.possible(node):
        if isinstance(option, ast.Call) and module.name(option.func) == "builtins.max":
            return any(_rest_of_window(module, a) for a in option.args)
        if isinstance(option, ast.BinOp) and isinstance(option.op, ast.Sub):
            return any(_elapsed(module, e) for e in module.possible(option.right))
    return False


def _elapsed(module: Module, node: ast.expr) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.Call)
        and module.name(node.left.func) in _CLOCKS
    )
