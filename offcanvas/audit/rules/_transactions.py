"""Whether a database transaction is open where a node stands."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Call, Const, Dict, Name, Value

ATOMIC: Final = "django.db.transaction.atomic"
ON_COMMIT: Final = "django.db.transaction.on_commit"
_SQLALCHEMY: Final = ("sqlalchemy", "flask_sqlalchemy", "sqlmodel")
_WORK: Final = frozenset({"add", "add_all", "delete", "merge", "flush", "bulk_save_objects"})
_STACKS: Final = frozenset({"contextlib.ExitStack", "contextlib.AsyncExitStack"})
_REPLICA: Final = re.compile(r"replica|read_?only|slave|secondary|follower|standby|\breader\b")
_SIGNALS: Final = frozenset(
    f"django.db.models.signals.{s}"
    for s in ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed")
)


@dataclass(frozen=True)
class Opened:
    """An open transaction: `what` for the message, `using` is the alias of Django's database."""

    what: str
    node: ast.AST
    django: bool
    using: ast.expr | None = None
    doubt: str = ""


def transaction_around(module: Module, node: ast.AST) -> Opened | None:
    """The innermost block or decorator around a node, within its function, that opens one."""
    for ancestor in module.around(node):
        if isinstance(ancestor, ast.With | ast.AsyncWith):
            for item in ancestor.items:
                opened = _opened(module, item.context_expr)
                if opened is not None and not _below(module, node, item):
                    return opened
                for entered in _entered(module, ancestor, item):
                    if getattr(entered.node, "lineno", 0) < getattr(node, "lineno", 0):
                        return entered
    function = _function(module, node)
    if function is None:
        return None
    for decorator in function.node.decorator_list:
        opened = _opened(module, decorator)
        if opened is not None:
            return opened
    return None


def _entered(
    module: Module, block: ast.With | ast.AsyncWith, item: ast.withitem
) -> Iterator[Opened]:
    """What `stack.enter_context(transaction.atomic())` opens in the block of a stack."""
    call, stack = item.context_expr, item.optional_vars
    made = module.name(call.func) if isinstance(call, ast.Call) else None
    if made not in _STACKS or not isinstance(stack, ast.Name):
        return
    for enter in module.inside(block, ast.Call):
        func = enter.func
        if (
            isinstance(func, ast.Attribute)
            and func.attr in {"enter_context", "enter_async_context"}
            and isinstance(func.value, ast.Name)
            and func.value.id == stack.id
            and enter.args
        ):
            opened = _opened(module, enter.args[0])
            if opened is not None:
                yield opened


def in_lambda(module: Module, node: ast.AST) -> bool:
    """Whether a node stands in a lambda of its function, where it does not run yet."""
    for ancestor in module.ancestors(node):
        if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        if isinstance(ancestor, ast.Lambda):
            return True
    return False


def _function(module: Module, node: ast.AST) -> Function | None:
    return None if in_lambda(module, node) else module.function(node)


def _below(module: Module, node: ast.AST, item: ast.withitem) -> bool:
    return any(a is item for a in module.ancestors(node))


def _opened(module: Module, node: ast.expr) -> Opened | None:
    call = node if isinstance(node, ast.Call) else None
    func = call.func if call is not None else node
    name = module.name(func)
    if name == ATOMIC:
        using = None
        if call is not None:
            using = next((k.value for k in call.keywords if k.arg == "using"), None)
            # `@atomic` of a function without brackets is a call with it as the only argument.
            using = call.args[0] if call.args else using
        return Opened("transaction.atomic()", node, True, using, _of_replica(using))
    own = _of_project(module, name, 4) if name is not None else None
    if own is not None:
        return Opened(f"{module.text(func)}()", node, own.django, own.using, own.doubt)
    if call is None or not isinstance(func, ast.Attribute):
        return None
    if func.attr in {"begin", "begin_nested"} and _is_sqlalchemy(module, func.value):
        return Opened(f"{module.text(func)}()", node, False)
    return None


def _of_replica(using: ast.expr | None) -> str:
    """The doubt about a transaction on a database that is only read."""
    said = ast.unparse(using).lower() if using is not None else ""
    return "its database is a replica, which is only read" if _REPLICA.search(said) else ""


def _of_project(module: Module, name: str, depth: int) -> Opened | None:
    """A context manager or decorator of the project that opens a transaction, by its name."""
    if name.startswith(("django.", "celery.", "builtins.")) or depth == 0:
        return None
    key = (_of_project, name)
    memory = module.project.memory
    if key not in memory:
        memory[key] = None  # one that uses itself opens nothing
        memory[key] = _look_into(module, name, depth)
    known = memory[key]
    return known if isinstance(known, Opened) else None


def _look_into(module: Module, name: str, depth: int) -> Opened | None:
    index = module.project.index
    if index.class_(name) is not None:
        return _of_class(module, name, depth)
    assigned = index.value(name)
    if assigned is not None:  # own = partial(transaction.atomic, using="x")
        facts, value = assigned
        called = index.called(facts, value) if isinstance(value, Call) else None
        if isinstance(value, Call) and called == "functools.partial" and value.args:
            inner = value.args[0]
            dotted = inner.dotted if isinstance(inner, Name) else ""
            return _named(module, index.resolve(facts, dotted), depth)
        kind = index.instance(facts, value)
        return _of_class(module, kind, depth) if kind is not None else None
    found = index.function(name)
    there = module.open(found[0].path) if found is not None else None
    function = there.function_named(found[1].qualname) if there is not None and found else None
    return _of_function(there, function, depth) if there is not None and function else None


def _named(module: Module, name: str, depth: int) -> Opened | None:
    if name == ATOMIC:
        return Opened("transaction.atomic()", module.tree, True)
    return _of_project(module, name, depth - 1)


def _of_class(module: Module, name: str, depth: int) -> Opened | None:
    """A class derived from Django's Atomic, or whose `__enter__` or `__call__` opens one."""
    index = module.project.index
    ancestors = [*index.ancestors(name)]
    if any(a in {"django.db.transaction.Atomic", ATOMIC} for a in ancestors):
        return Opened("transaction.atomic()", module.tree, True)
    for method in ("__init__", "__enter__", "__call__"):
        found = index.function(index.method(name, method))
        there = module.open(found[0].path) if found is not None else None
        function = there.function_named(found[1].qualname) if there is not None and found else None
        if there is None or function is None:
            continue
        for call in there.inside(function.node, ast.Call, nested=True):
            if there.name(call.func) == ATOMIC:
                return Opened("transaction.atomic()", call, True)
    return None


def _of_function(there: Module, function: Function, depth: int) -> Opened | None:
    """Whether a function yields, or calls the function it decorates, within a transaction."""
    given = {p.name for p in function.params.items}
    decorators = [there.name(getattr(d, "func", d)) for d in function.node.decorator_list]
    manages = any((d or "").endswith("contextmanager") for d in decorators)
    for node in ast.walk(function.node):
        if isinstance(node, ast.With | ast.AsyncWith):
            opened = next(
                (
                    o
                    for i in node.items
                    for o in (_opened(there, i.context_expr), *_entered(there, node, i))
                    if o is not None
                ),
                None,
            )
            if opened is None:
                continue
            if manages and any(there.inside(node, ast.Yield)):
                return opened
            inner = there.function(node)
            while inner is not None and inner is not function:
                given |= {p.name for p in inner.params.items} if inner.outer is not None else set()
                inner = inner.outer
            if not manages and any(
                isinstance(c.func, ast.Name) and c.func.id in given
                for c in there.inside(node, ast.Call)
            ):
                return opened
        elif isinstance(node, ast.Return) and node.value is not None and not manages:
            opened = _given_back(there, node.value)
            if opened is not None:
                return opened
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not function.node:
            for decorator in node.decorator_list:
                opened = _opened(there, decorator)
                if opened is not None:
                    return opened
    return None


def _given_back(there: Module, value: ast.expr) -> Opened | None:
    """`return transaction.atomic(func)`, `return transaction.atomic(using="x")(func)`."""
    inner = (
        value.func if isinstance(value, ast.Call) and isinstance(value.func, ast.Call) else value
    )
    if not isinstance(inner, ast.Call) or there.name(inner.func) != ATOMIC:
        return None
    using = next((k.value for k in inner.keywords if k.arg == "using"), None)
    return Opened("transaction.atomic()", value, True, using, _of_replica(using))


def _is_sqlalchemy(module: Module, node: ast.expr) -> bool:
    """A session or engine: by its class, or by its name in a project that uses SQLAlchemy."""
    sources = module.possible(node)
    if isinstance(node, ast.Name):
        sources += [b.value for b in module.bindings(node.id, node) or () if b.value is not None]
    for option in sources:
        source = option.func if isinstance(option, ast.Call) else option
        if (module.name(source) or "").startswith(_SQLALCHEMY):
            return True
    said = module.text(node).lower()
    return ("session" in said or "engine" in said) and module.project.mentions(*_SQLALCHEMY)


def called_in_transaction(module: Module, function: Function) -> tuple[str, ast.Call] | None:
    """A call of a function of the project, (path, call), with a transaction open around it."""
    own = f"{module.project.index.name_of(module.facts)}.{function.qualname}"
    for path in module.project.celery_files:
        if function.name not in module.project.text(path):
            continue
        there = module.open(path)
        for call in there.walk(ast.Call) if there is not None else ():
            if (
                there is not None
                and there.name(call.func) == own
                and transaction_around(there, call) is not None
            ):
                return path, call
    return None


def receiver_of(module: Module, function: Function) -> ast.expr | None:
    """The signal that a function receives of models, by decorator or `post_save.connect(f)`."""
    for decorator in function.node.decorator_list:
        if not isinstance(decorator, ast.Call) or not decorator.args:
            continue
        if module.name(decorator.func) != "django.dispatch.receiver":
            continue
        first = decorator.args[0]
        signals = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
        of_models = [s for s in signals if module.name(s) in _SIGNALS]
        if of_models:
            return max(of_models, key=lambda s: not fires_inside(module, s))
    if b".connect" not in module.source:
        return None
    own = f"{module.project.index.name_of(module.facts)}.{function.qualname}"
    for call in module.walk(ast.Call):
        func = call.func
        if not (isinstance(func, ast.Attribute) and func.attr == "connect" and call.args):
            continue
        if module.name(func.value) in _SIGNALS and module.name(call.args[0]) == own:
            return func.value
    return None


def fires_inside(module: Module, signal: ast.expr) -> bool:
    """Whether a model's signal always fires before the commit, also in autocommit mode.

    Django opens a transaction of its own around every delete that has receivers and every change
    of a many-to-many relation, and fires pre_save before it writes; post_save alone is fired when
    a save that stands in no transaction has been committed.
    Source: django/db/models/deletion.py, base.py, fields/related_descriptors.py.
    """
    return module.name(signal) != "django.db.models.signals.post_save"


def commit_after(module: Module, node: ast.AST) -> ast.Call | None:
    """The `session.commit()` that follows in the same block, when the session has work before."""
    if b".commit" not in module.source:
        return None
    statement: ast.AST = node
    for ancestor in module.ancestors(node):
        if isinstance(ancestor, ast.Lambda):
            return None
        for block in _blocks(ancestor):
            if statement in block:
                found = _commit_in(module, block, block.index(statement))
                if found is not None:
                    return found
        if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        statement = ancestor
    return None


def _blocks(node: ast.AST) -> Iterator[list[ast.AST]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _commit_in(module: Module, block: list[ast.AST], at: int) -> ast.Call | None:
    before = [m for s in block[:at] for m in _methods(s)]
    for statement in block[at + 1 :]:
        if not isinstance(statement, ast.Expr):
            continue
        for session, method, call in _methods(statement):
            if method != "commit":
                continue
            pending = False
            for owner, earlier, _ in before:
                if owner == session:
                    pending = earlier in _WORK or (pending and earlier != "commit")
            if pending and _is_sqlalchemy(module, call.func):
                return call
    return None


def _methods(statement: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """(object as written, method, call) of the calls in a statement."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr, node


def is_view(module: Module, function: Function) -> bool:
    """Whether Django runs a function for a request, so that ATOMIC_REQUESTS applies to it."""
    if function.task is not None or function.outer is not None:
        return False
    for decorator in function.node.decorator_list:
        func = decorator.func if isinstance(decorator, ast.Call) else decorator
        if module.name(func) == "django.db.transaction.non_atomic_requests":
            return False
    if function.owner is None:
        first = next(iter(function.params.items), None)
        return first is not None and first.name == "request"
    index = module.project.index
    owner = f"{index.name_of(module.facts)}.{function.owner}"
    return any(a.startswith(("django.views.", "rest_framework.")) for a in index.ancestors(owner))


@lru_cache(maxsize=2)
def atomic_requests(project: Project) -> bool:
    """Whether Django's settings put every view into a transaction."""
    return any(
        _sets_it(facts.assigns.get("DATABASES"))
        or any(_sets_it(class_.attributes.get("DATABASES")) for class_ in facts.classes.values())
        or any(s.key == "ATOMIC_REQUESTS" and s.value == Const(True) for s in facts.stores)
        for facts in project.files.values()
    )


def _sets_it(value: Value | None) -> bool:
    return isinstance(value, Dict) and any(
        isinstance(database, Dict) and database.get("ATOMIC_REQUESTS") == Const(True)
        for _, database, _ in value.entries()
    )
