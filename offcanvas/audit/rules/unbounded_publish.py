"""Task that sends itself again at once, sends without end, or a send whose failure is hidden.

Bad:
    from celery import shared_task

    @shared_task
    def sync(locked):
        if locked:
            sync.delay(locked)
            return
Good:
    from celery import shared_task

    @shared_task(bind=True)
    def sync(self, locked):
        if locked:
            raise self.retry(countdown=30)
Why: A task that puts itself back without a delay spins through broker and workers as fast as they
    can, and no max_retries ever stops it. A `while True` that sends fills the broker. A send
    whose exception is caught and only logged loses the work while the broker is away.
Prefect: Concurrency limits make a run wait for its turn.
Temporal: A workflow waits; task queues have rate limits.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#retrying
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.handlers import broad_handler, only_logs, tries_around
from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.rules import module_rule
from offcanvas.audit.sends import Send
from offcanvas.audit.tree import Function

_ENDS: Final = frozenset(
    {"builtins.next", "builtins.exit", "sys.exit", "os._exit", "builtins.input"}
)
_TAKES: Final = frozenset(
    {"pop", "popleft", "popitem", "get_nowait", "__next__", "index", "remove"}
)
_PAUSES: Final = frozenset({"time.sleep", "gevent.sleep", "asyncio.sleep"})


@module_rule("CEL207", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Each send is looked at in its task, in its loop and in its try block."""
    for send in module.sends:
        if not send.publishes or send.deferred:
            continue
        what = send.name or module.text(send.node)
        if _spins(module, send):
            yield module.remark(
                send.node,
                f"{what} sends itself again with the same arguments and no delay: it spins "
                "without a limit; raise self.retry(countdown=...)",
            )
        elif _endless(module, send):
            yield module.remark(
                send.node,
                f"{what} is sent in a `while True` that neither ends nor pauses: it fills the "
                "broker; send in batches and wait between them",
            )
        elif module.task_around(send.node) is None:
            handler = broad_handler(module, send.node)
            if handler is not None and only_logs(module, handler) and not _swept(module, send):
                yield module.remark(
                    send.node,
                    f"{what} is lost when the broker cannot be reached: line {handler.lineno} "
                    "catches that and goes on; let it fail, or keep the work elsewhere",
                    doubt="a sweep may send it again",
                )


def _swept(module: Module, send: Send) -> bool:
    """Whether a task of the beat schedule sends the same, or calls the function that does."""
    project, function = module.project, send.function
    for entry in project.beat:
        sweep = entry.resolved
        there = module.open(sweep.path) if sweep is not None else None
        body = there.function_named(sweep.function) if there is not None and sweep else None
        if there is None or body is None:
            continue
        if send.name and any(s.name == send.name and s.function is body for s in there.sends):
            return True
        if function is None:
            continue
        own = f"{project.index.name_of(module.facts)}.{function.qualname}"
        for call in there.inside(body.node, ast.Call):
            name = there.name(call.func)
            if name == own:
                return True
            # The object comes from a query, so its class is not known; one method is so called.
            method = call.func.attr if isinstance(call.func, ast.Attribute) else None
            if name is None and method == function.name and _only_one(project, method):
                return True
    return False


@lru_cache(maxsize=256)
def _only_one(project: Project, name: str) -> bool:
    return sum(f.name == name for m in project.files.values() for f in m.functions.values()) == 1


def _spins(module: Module, send: Send) -> bool:
    task = module.task_around(send.node)
    if task is None or send.task is None or send.task != task:
        return False
    given = _given(module, send)
    function = send.function
    while function is not None and function.task is None:
        function = function.outer
    return (
        given is not None
        and function is not None
        and all(_unchanged(module, function, send, value) for value in given)
    )


def _given(module: Module, send: Send) -> list[ast.expr] | None:
    """The arguments that a task sends to itself; None when there is a delay or some are unknown."""
    args, kwargs, options = send.args, send.kwargs, {*send.options}
    if send.canvas and isinstance(send.node.func, ast.Attribute):
        # Through a signature: `.s(...)`, perhaps with `.set(...)`, and then `.apply_async()`.
        built = module.outline(send.node.func.value)
        if built is None or built.kind != "task":
            return None
        args, kwargs = built.args, built.kwargs
        options |= {*built.options, *_set_later(module, send, send.node.func.value)}
    if {"countdown", "eta"} & options or args is None or kwargs is None:
        return None
    return [*args, *kwargs.values()]


def _set_later(module: Module, send: Send, signature: ast.expr) -> Iterator[str]:
    """The options that `signature.set(...)` gives a variable in the function that sends it."""
    if not isinstance(signature, ast.Name) or send.function is None:
        return
    for call in module.inside(send.function.node, ast.Call):
        if ast.unparse(call.func) == f"{signature.id}.set":
            yield from (keyword.arg for keyword in call.keywords if keyword.arg)


def _unchanged(module: Module, function: Function, send: Send, value: ast.expr) -> bool:
    """A constant, or a parameter that is at most set to one: the next run gets the same.

    What the condition around the send asks about may be what ends it.
    """
    if isinstance(value, ast.Constant):
        return True
    if not isinstance(value, ast.Name) or value.id not in function.params.names:
        return False
    bound = module.bindings(value.id, value) or []
    again = [b for b in bound if b.how != "parameter"]
    if not all(b.how == "is" and isinstance(b.value, ast.Constant) for b in again):
        return False
    asked = {
        n.id
        for test in module.around(send.node)
        if isinstance(test, ast.If | ast.While)
        for n in ast.walk(test.test)
        if isinstance(n, ast.Name)
    }
    return not again or value.id not in asked


def _endless(module: Module, send: Send) -> bool:
    loop = module.loop_around(send.node)
    if not isinstance(loop, ast.While):
        return False
    if not (isinstance(loop.test, ast.Constant) and loop.test.value):
        return False
    if any(module.inside(loop, ast.Break, ast.Return, ast.Raise, ast.Yield, ast.Await)):
        return False
    if any(True for _ in tries_around(module, loop)):
        return False  # what it takes its items from may end it with an exception
    calls = [*module.inside(loop, ast.Call)]
    if any(module.name(c.func) in _ENDS or _takes_one(c) for c in calls):
        return False
    # A loop that asks something else before it sends is paced by the answer.
    return not any(module.name(c.func) in _PAUSES for c in calls) and all(
        c is send.node or module.name(c.func) is not None for c in calls
    )


def _takes_one(call: ast.Call) -> bool:
    """`queue.get_nowait()`, `items.pop()`: raises when there is nothing left."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in _TAKES
