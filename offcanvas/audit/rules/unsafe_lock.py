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

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.tree import Function

_CACHE: Final = "django.core.cache.cache"
_CLIENTS: Final = (
    *("redis.Redis", "redis.StrictRedis", "redis.from_url", "redis.Redis.from_url"),
    *("redis.client.Redis", "django_redis.get_redis_connection"),
)
_DEEP: Final = 4
"""Helpers that call helpers, on the way to the cache."""
_OF_KEYS: Final = {"get": "get", "exists": "has_key", "set": "set", "setex": "set"}
"""Methods of a Redis client -> what they are called on Django's cache."""
_AT_ONCE: Final = ("cache.add(key, value, timeout)", "set(key, value, nx=True, ex=...)")
_EXPIRES: Final = frozenset({"ex", "px", "exat", "pxat", "timeout", "keepttl"})


@module_rule("CEL308", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
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
        if module.project.mentions("django.core.cache", "redis"):
            yield from _through_helpers(module, calls)


def _through_helpers(module: Module, calls: list[ast.Call]) -> Iterator[Remark]:
    """`if locks.busy(k): return` and `locks.take(k)`, which look and set in two functions."""
    looks: dict[str, ast.Call] = {}
    for call in calls:
        for kind, key in cache_uses(module, call):
            if kind == "look" and _decides(module, call, call):
                looks.setdefault(key, call)
            look = looks.get(key)
            if kind == "set" and look is not None and look.lineno < call.lineno:
                yield module.remark(
                    call,
                    f"another worker can look between line {look.lineno} and this call, which sets "
                    f"{key}, and both go on; use {_AT_ONCE[False]}, on Redis {_AT_ONCE[True]}",
                    related=((module.path, look.lineno, "looked at here"),),
                )
                return


def cache_uses(module: Module, call: ast.Call, depth: int = _DEEP) -> Iterator[tuple[str, str]]:
    """("look" or "set", key) of what a helper does with the cache; keys in words of the caller."""
    found = module.callee(call)
    if found is None or depth == 0 or found[1].task is not None:
        return
    there, helper = found
    names = dict(_arguments(module, call, helper))
    for inner in there.inside(helper.node, ast.Call):
        name = there.name(inner.func)
        func = inner.func
        of_key = isinstance(func, ast.Attribute) and func.attr in _OF_KEYS and bool(inner.args)
        if isinstance(func, ast.Attribute) and of_key and _is_client(there, func.value):
            name = f"{_CACHE}.{_OF_KEYS[func.attr]}"
            if any(k.arg == "nx" for k in inner.keywords):
                continue  # looks and sets in one step
        if name in {f"{_CACHE}.get", f"{_CACHE}.has_key"} and inner.args:
            yield "look", _in_words(inner.args[0], names)
        elif name == f"{_CACHE}.set" and len(inner.args) > 1:
            if isinstance(inner.args[1], ast.Constant) or "lock" in ast.unparse(inner.args[0]):
                yield "set", _in_words(inner.args[0], names)
        else:
            for kind, key in cache_uses(there, inner, depth - 1):
                yield kind, _in_words(ast.parse(key, mode="eval").body, names)


def _arguments(module: Module, call: ast.Call, helper: Function) -> Iterator[tuple[str, ast.expr]]:
    """The parameters of a helper with what a call gives them, `self` included."""
    names = [p.name for p in helper.params.items if p.kind == "positional"]
    if helper.owner is not None and isinstance(call.func, ast.Attribute) and names:
        yield names.pop(0), call.func.value
    yield from zip(names, call.args, strict=False)
    yield from ((k.arg, k.value) for k in call.keywords if k.arg is not None)


def _in_words(key: ast.expr, names: dict[str, ast.expr]) -> str:
    class Put(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return names.get(node.id, node)

    return ast.unparse(Put().visit(ast.parse(ast.unparse(key), mode="eval").body))


def _looked_first(module: Module, call: ast.Call, calls: list[ast.Call]) -> Iterator[Remark]:
    """`if not cache.get(k): cache.set(k, 1)`; what is stored for its value is not a lock."""
    if len(call.args) < 2:
        return
    key = ast.unparse(call.args[0])
    constant = isinstance(call.args[1], ast.Constant)
    if not constant and "lock" not in key.lower():
        return
    for look in calls:
        of_redis = isinstance(look.func, ast.Attribute) and (
            look.func.attr in {"get", "exists"} and _is_client(module, look.func.value)
        )
        if (
            (of_redis or module.name(look.func) in {f"{_CACHE}.get", f"{_CACHE}.has_key"})
            and look.args
            and ast.unparse(look.args[0]) == key
            and look.lineno <= call.lineno
            and _decides(module, look, call)
        ):
            yield module.remark(
                call,
                f"another worker can look at {key} between line {look.lineno} and this set, and "
                f"both go on; use {_AT_ONCE[of_redis]}",
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
) -> Iterator[Remark]:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    named = {k.arg for k in call.keywords}
    if None in named:
        return  # **options may hold the expiry
    if method in {"set", "setex"} and "nx" not in named:
        yield from _looked_first(module, call, calls)
    elif method == "set" and "nx" in named and not named & _EXPIRES and len(call.args) < 3:
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


def _endless(module: Module, call: ast.Call) -> Remark:
    return module.remark(
        call,
        f"{module.text(call)} never expires: the lock of a killed worker is held for ever; give it "
        "a timeout longer than the task",
    )


def _not_released(module: Module, function: Function, call: ast.Call) -> Iterator[Remark]:
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
        yield module.remark(
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
