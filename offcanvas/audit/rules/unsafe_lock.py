"""Lock that two tasks can hold at once, or that stays when its task is killed.

Bad:
    from celery import shared_task
    from django.core.cache import cache

    @shared_task
    def sync():
        if not cache.get("sync-lock"):
            cache.set("sync-lock", True, 60)
            run_sync()
Good:
    from celery import shared_task
    from django.core.cache import cache

    @shared_task
    def sync():
        if cache.add("sync-lock", True, 60):
            run_sync()
Why: Between a look and a set another worker can look too; add() and SET NX do both at once. A lock
    without an expiry is held for ever when its worker is killed, and one that is released outside
    of finally stays after an exception.
Prefect: Concurrency limits with a lease.
Temporal: A workflow id can run only once at a time.
Source: https://docs.celeryq.dev/en/stable/tutorials/task-cookbook.html#ensuring-a-task-is-only-executed-one-at-a-time
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Finding, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.tree import Function

_CACHE: Final = "django.core.cache.cache"
_CLIENTS: Final = (
    *("redis.Redis", "redis.StrictRedis", "redis.from_url", "redis.Redis.from_url"),
    *("redis.client.Redis", "django_redis.get_redis_connection"),
)
_EXPIRES: Final = frozenset({"ex", "px", "exat", "pxat", "timeout", "keepttl"})


@module_rule("CEL308", Severity.MEDIUM)
def check(module: Module) -> Iterator[Finding]:
    """Caches and Redis clients in the functions that tasks are made of."""
    for function in module.tasks:
        calls = [*module.inside(function.node, ast.Call)]
        for call in calls:
            if not isinstance(call.func, ast.Attribute):
                continue
            if module.name(call.func) == f"{_CACHE}.set":
                yield from _looked_first(module, call, calls)
            elif module.name(call.func) == f"{_CACHE}.add":
                given = _argument(call, 2, "timeout")
                if isinstance(given, ast.Constant) and given.value is None:
                    yield _endless(module, call)
            elif _is_client(module, call.func.value):
                yield from _of_redis(module, function, call, calls)


def _looked_first(module: Module, call: ast.Call, calls: list[ast.Call]) -> Iterator[Finding]:
    """`if not cache.get(k): cache.set(k, 1)`; what is stored for its value is no lock."""
    if len(call.args) < 2:
        return
    key = ast.unparse(call.args[0])
    constant = isinstance(call.args[1], ast.Constant)
    if not constant and "lock" not in key.lower():
        return
    for look in calls:
        if (
            module.name(look.func) in {f"{_CACHE}.get", f"{_CACHE}.has_key"}
            and look.args
            and ast.unparse(look.args[0]) == key
            and look.lineno <= call.lineno
            and _decides(module, look, call)
        ):
            yield module.finding(
                call,
                f"another worker can look at {key} between line {look.lineno} and this set, and "
                "both go on; use cache.add(key, value, timeout)",
                doubt="" if "lock" in key.lower() or constant else "it may be no lock",
                related=((module.path, look.lineno, "looked at here"),),
            )
            return


def _decides(module: Module, look: ast.Call, call: ast.Call) -> bool:
    """Whether what was looked up is tested: in an `if`, itself or through a variable."""
    parent = module.parents.get(look)
    name = ""
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        name = parent.targets[0].id
    function = module.function(call)
    if function is None:
        return False
    for branch in module.inside(function.node, ast.If):
        for node in ast.walk(branch.test):
            if node is look or (name and isinstance(node, ast.Name) and node.id == name):
                return branch.lineno <= call.lineno
    return False


def _is_client(module: Module, node: ast.expr) -> bool:
    """A Redis client: made in sight, here or in a module of the project."""
    return any(
        isinstance(option, ast.Call) and module.name(option.func) in _CLIENTS
        for option in module.possible(node)
    )


def _of_redis(
    module: Module, function: Function, call: ast.Call, calls: list[ast.Call]
) -> Iterator[Finding]:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    named = {k.arg for k in call.keywords}
    if None in named:
        return  # **options may hold the expiry
    if method == "set" and "nx" in named and not named & _EXPIRES and len(call.args) < 3:
        yield _endless(module, call)
    elif method == "setnx" and call.args:
        key = ast.unparse(call.args[0])
        if not any(
            isinstance(c.func, ast.Attribute)
            and c.func.attr in {"expire", "pexpire", "expireat"}
            and c.args
            and ast.unparse(c.args[0]) == key
            for c in calls
        ):
            yield _endless(module, call)
    elif method == "lock":
        if "timeout" not in named and len(call.args) < 2:
            yield _endless(module, call)
        yield from _not_released(module, function, call)


def _endless(module: Module, call: ast.Call) -> Finding:
    return module.finding(
        call,
        f"{module.text(call)} never expires: the lock of a killed worker is held for ever; give it "
        "a timeout longer than the task",
    )


def _not_released(module: Module, function: Function, call: ast.Call) -> Iterator[Finding]:
    """`lock.release()` that an exception skips."""
    assign = module.parents.get(call)
    if not isinstance(assign, ast.Assign) or not isinstance(assign.targets[0], ast.Name):
        return
    name = assign.targets[0].id
    releases = [
        c
        for c in module.inside(function.node, ast.Call)
        if isinstance(c.func, ast.Attribute)
        and c.func.attr == "release"
        and isinstance(c.func.value, ast.Name)
        and c.func.value.id == name
    ]
    if releases and not any(_in_finally(module, r) for r in releases):
        yield module.finding(
            releases[0],
            f"{name} is not released when an exception comes before this line; use "
            f"`with {name}:` or finally",
        )


def _in_finally(module: Module, node: ast.AST) -> bool:
    below = node
    for ancestor in module.around(node):
        if isinstance(ancestor, ast.Try) and any(below is s for s in ancestor.finalbody):
            return True
        below = ancestor
    return False


def _argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    if len(call.args) > place:
        return call.args[place]
    return next((k.value for k in call.keywords if k.arg == name), None)
