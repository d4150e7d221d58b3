"""Exception caught in a task so that the retry or the canvas that depends on it never hears of it.

Bad:
    import logging

    from celery import shared_task

    @shared_task(autoretry_for=(ConnectionError,), retry_backoff=True)
    def fetch(url):
        try:
            return download(url)
        except Exception:
            logging.exception("failed")

    def download(url):
        raise ConnectionError(url)
Good:
    import logging

    from celery import shared_task

    @shared_task(autoretry_for=(ConnectionError,), retry_backoff=True)
    def fetch(url):
        try:
            return download(url)
        except Exception:
            logging.exception("failed")
            raise

    def download(url):
        raise ConnectionError(url)
Why: autoretry_for sees only what leaves the task. self.retry() itself raises Retry, which is an
    Exception: a broad handler around it ends the task as a success. In a chain or chord the next
    task then runs with None.
Prefect: Retries need the exception to leave the task as well.
Temporal: Retries need the exception to leave the activity as well.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#automatic-retry-for-known-exceptions
"""

import ast
from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.handlers import (
    BROAD,
    broad_handler,
    caught,
    is_broad,
    raises,
    suppressing,
    tries_around,
)
from offcanvas.audit.module import Module
from offcanvas.audit.names import TASK
from offcanvas.audit.outline import Outline
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules.result_get_in_task import WAITS
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Name, Seq, Value

_RETRIES = frozenset({"celery.exceptions.Retry", "celery.exceptions.TaskPredicate"})


@module_rule("CEL304", Severity.HIGH)
def check(module: Module) -> Iterator[Remark]:
    """A caught Retry, a disabled autoretry, an idle handler, a hidden wait, a deaf canvas."""
    for call in module.walk(ast.Call):
        if module.name(call.func) == f"{TASK}.retry":
            yield from _caught_retry(module, call)
    for function in module.tasks:
        if function.task is not None and function.task.options.get("autoretry_for") is not None:
            yield from _disabled(module, function, function.task.options["autoretry_for"])
    for block in module.walk(ast.Try):
        if module.task_around(block) is not None:
            yield from _never_reached(module, block)
    yield from _hidden_waits(module)
    for canvas in module.canvases:
        yield from _deaf_canvas(module, canvas)


def _hidden_waits(module: Module) -> Iterator[Remark]:
    """`try: result.get() except Exception: pass`: in a task get() raises before it waits."""
    told = set()
    for call in module.walk(ast.Call):
        if module.name(call.func) not in WAITS or module.task_around(call) is None:
            continue
        if any(k.arg == "disable_sync_subtasks" for k in call.keywords) or _allowed(module, call):
            continue
        suppressed = _suppressed(module, call)
        if suppressed is not None:
            yield _hidden(module, call, suppressed, "this block")
            continue
        for block in tries_around(module, call):
            handler = next((h for h in block.handlers if _takes_runtime_errors(module, h)), None)
            if handler is None:
                continue
            if id(handler) not in told and not raises(module, handler):
                told.add(id(handler))
                yield _hidden(module, call, handler, "this handler")
            break


def _hidden(module: Module, call: ast.Call, node: ast.AST, what: str) -> Remark:
    return module.remark(
        node,
        f"{module.text(call.func)}() in a task raises RuntimeError before it waits, and {what} "
        "swallows it: what follows runs at once, without the result",
        related=((module.path, call.lineno, "raises here"),),
    )


def _suppressed(module: Module, call: ast.Call) -> ast.expr | None:
    """`with suppress(Exception):` around a wait."""
    for ancestor in module.around(call):
        if isinstance(ancestor, ast.Try):
            return None  # its handlers come first
        for made in suppressing(module, ancestor, {*BROAD, "builtins.RuntimeError"}):
            return made
    return None


def _takes_runtime_errors(module: Module, handler: ast.ExceptHandler) -> bool:
    return is_broad(module, handler) or "builtins.RuntimeError" in caught(module, handler)


def _allowed(module: Module, call: ast.Call) -> bool:
    """Whether `allow_join_result()` is around a wait."""
    return any(
        (module.name(getattr(item.context_expr, "func", item.context_expr)) or "").endswith(
            "allow_join_result"
        )
        for ancestor in module.around(call)
        if isinstance(ancestor, ast.With)
        for item in ancestor.items
    )


def _caught_retry(module: Module, call: ast.Call) -> Iterator[Remark]:
    if any(k.arg == "throw" for k in call.keywords):
        return
    for block in tries_around(module, call):
        for handler in block.handlers:
            if {*caught(module, handler)} & _RETRIES:
                if raises(module, handler):
                    break
                return  # Retry is named: it is caught on purpose
            if is_broad(module, handler):
                if not raises(module, handler):
                    yield module.remark(
                        call,
                        f"the Retry that this raises is caught in line {handler.lineno}: the next "
                        "attempt has been sent, and this one goes on as well; add "
                        "`except Retry: raise` before it",
                        related=((module.path, handler.lineno, "caught here"),),
                    )
                return


def _disabled(module: Module, function: Function, wanted: Value) -> Iterator[Remark]:
    index = module.project.index
    items = wanted.items if isinstance(wanted, Seq) else (wanted,)
    dotted = [i.dotted for i in items if isinstance(i, Name)]
    names = {index.resolve(module.facts, d).removeprefix("?.") for d in dotted}
    if _raised_by_a_decorator(module, function, names):
        return
    for block in module.inside(function.node, ast.Try):
        if module.function(block) is not function:
            continue
        for handler in block.handlers:
            types = {(t or "").removeprefix("builtins.") for t in caught(module, handler)}
            if types & names and not is_broad(module, handler):
                break  # the exceptions to retry for have a handler of their own
            if is_broad(module, handler) and not raises(module, handler):
                whole = _whole(function, block) and not _raised_elsewhere(
                    module, function, block, names
                )
                if whole or _may_raise(module, block, names):
                    yield module.remark(
                        handler,
                        f"{function.name} is to be retried for {', '.join(sorted(names))}, but "
                        "this handler catches everything and the retry never happens; raise again",
                        doubt="" if whole else "the retry may be meant for the rest of the task",
                    )
                break


def _named(module: Module, raised: ast.Raise) -> str:
    what = raised.exc.func if isinstance(raised.exc, ast.Call) else raised.exc
    return (module.name(what) or "").removeprefix("builtins.") if what is not None else ""


def _raised_elsewhere(module: Module, function: Function, block: ast.Try, names: set[str]) -> bool:
    """Whether the task raises by itself, outside of the block, what it is to be retried for."""
    return any(
        _named(module, raised) in names and block not in module.ancestors(raised)
        for raised in module.inside(function.node, ast.Raise)
    )


def _raised_by_a_decorator(module: Module, function: Function, names: set[str]) -> bool:
    """Whether a decorator of the project (a lock, a limit) raises what the retry is for."""
    for decorator in function.node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        found = module.callee(call)
        if found is None:
            continue
        there, made = found
        if any(_named(there, r) in names for r in there.inside(made.node, ast.Raise, nested=True)):
            return True
    return False


def _may_raise(module: Module, block: ast.Try, names: set[str]) -> bool:
    """Whether a block calls the library, whose errors the retry is for."""
    outside = (n for n in names if "." in n and module.project.index.find(n) is None)
    roots = {name.partition(".")[0] for name in outside}
    for statement in block.body:
        for call in (n for n in ast.walk(statement) if isinstance(n, ast.Call)):
            if (module.name(call.func) or "").partition(".")[0] in roots:
                return True
    return any(
        _named(module, r) in names
        for s in block.body
        for r in ast.walk(s)
        if isinstance(r, ast.Raise)
    )


def _whole(function: Function, block: ast.Try) -> bool:
    """Whether a try block holds most of a task's own statements."""
    body = function.node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    outside = [s for s in body if s is not block]
    return len(outside) < len(body) and _count(block.body) >= _count(outside)


def _count(statements: list[ast.stmt]) -> int:
    return sum(isinstance(n, ast.stmt) for s in statements for n in ast.walk(s))


def _never_reached(module: Module, block: ast.Try) -> Iterator[Remark]:
    broad: ast.ExceptHandler | None = None
    for handler in block.handlers:
        if broad is not None:
            yield module.remark(
                handler,
                f"this handler is never reached: line {broad.lineno} catches every exception "
                "before it; put it first",
            )
        elif is_broad(module, handler) and "builtins.BaseException" not in caught(module, handler):
            broad = handler


def _deaf_canvas(module: Module, canvas: Outline) -> Iterator[Remark]:
    """Members that others depend on and that end well whatever happens in them."""
    for outline in canvas.walk():
        awaited = outline.parts[:-1] if outline.kind == "chain" else ()
        if outline.kind == "chord":
            awaited = outline.parts
        for part in awaited:
            task = part.task
            there = module.open(task.path) if task is not None else None
            function = there.function_named(task.function) if there is not None and task else None
            if there is None or function is None or task is None:
                continue
            for block in function.node.body:
                if not isinstance(block, ast.Try) or not _whole(function, block):
                    continue
                handler = broad_handler(there, block.body[0])
                if handler is not None and not any(there.inside(handler, ast.Return)):
                    yield module.remark(
                        part.node,
                        f"{task.name} catches every exception in line {handler.lineno} of "
                        f"{there.path}: what follows it in this {outline.kind} runs with None "
                        "after a failure",
                        doubt="what follows may be meant to run all the same",
                        related=((there.path, handler.lineno, "caught here"),),
                    )
