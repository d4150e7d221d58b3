"""Whether a database transaction is open where a node stands."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from offcanvas.audit.module import Module
from offcanvas.audit.project import Project
from offcanvas.audit.tree import Function
from offcanvas.audit.values import Const, Dict, Value

ATOMIC: Final = "django.db.transaction.atomic"
ON_COMMIT: Final = "django.db.transaction.on_commit"
_SQLALCHEMY: Final = ("sqlalchemy", "flask_sqlalchemy", "sqlmodel")
_WORK: Final = frozenset({"add", "add_all", "delete", "merge", "flush", "bulk_save_objects"})
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
    function = _function(module, node)
    if function is None:
        return None
    for decorator in function.node.decorator_list:
        opened = _opened(module, decorator)
        if opened is not None:
            return opened
    return None


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
    if module.name(func) == ATOMIC:
        using = None
        if call is not None:
            using = next((k.value for k in call.keywords if k.arg == "using"), None)
            using = call.args[0] if call.args else using
        return Opened("transaction.atomic()", node, True, using)
    if call is None or not isinstance(func, ast.Attribute):
        return None
    if func.attr in {"begin", "begin_nested"} and _is_sqlalchemy(module, func.value):
        return Opened(f"{module.text(func)}()", node, False)
    return None


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
        there = module.project.open(path)
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
