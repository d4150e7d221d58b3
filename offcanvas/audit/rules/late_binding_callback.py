"""Callback for after the commit that reads a loop's variable when the loop is long over.

Bad:
    from celery import shared_task
    from django.db import transaction

    @shared_task
    def index(pk):
        ...

    def save_all(documents):
        with transaction.atomic():
            for document in documents:
                document.save()
                transaction.on_commit(lambda: index.delay(document.pk))
Good:
    from functools import partial

    from celery import shared_task
    from django.db import transaction

    @shared_task
    def index(pk):
        ...

    def save_all(documents):
        with transaction.atomic():
            for document in documents:
                document.save()
                transaction.on_commit(partial(index.delay, document.pk))
Why: A lambda looks its variables up when it is called, here after the commit, when the loop
    variable holds the last item: the last document is sent many times and the others never.
Prefect: The same trap in any callback; bind the value.
Temporal: The same trap in any callback; bind the value.
Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/#performing-actions-after-commit
"""

import ast
from collections.abc import Iterator

from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._partial import IMPORT, is_free, partial_of
from offcanvas.audit.rules._transactions import (
    ON_COMMIT,
    atomic_requests,
    called_in_transaction,
    transaction_around,
)

_OWN_NAMES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_CONDITIONS = (ast.If, ast.Match, ast.Try, ast.While)
_PERHAPS = "harmless as long as no request, and so no transaction, is around the loop"


@module_rule("CEL202", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """Lambdas and local functions given to on_commit() in a loop."""
    for call in module.walk(ast.Call):
        if not call.args or module.name(call.func) != ON_COMMIT:
            continue
        loop = module.loop_around(call)
        if loop is None or _leaves(module, call, loop) or _picked(module, call, loop):
            continue
        callback = _callback(module, call.args[0], loop)
        if callback is None:
            continue
        late = sorted(_free(callback) & _bound_by(loop))
        if late:
            doubt = ""
            opened = transaction_around(module, call)
            each = opened is not None and loop in module.ancestors(opened.node)
            # Each round commits by itself and calls back at once, unless all are in another.
            if each and not _open_outside(module, loop):
                if not atomic_requests(module.project):
                    continue
                doubt = _PERHAPS
            if not doubt and not {*late} & _bound_by(loop, always=True):
                doubt = "they are bound under a condition, perhaps in one round only"
            yield module.remark(
                call,
                f"the callback reads {', '.join(late)} after the loop has ended, when only the "
                "last value is left; use on_commit(partial(task.delay, value))",
                doubt=doubt,
                edits=_cure(module, call.args[0]),
                imports=(IMPORT,),
            )


def _open_outside(module: Module, loop: ast.AST) -> bool:
    """Whether a transaction is open around the loop, in its function or at a call of it."""
    if transaction_around(module, loop) is not None:
        return True
    function = module.function(loop)
    return function is not None and called_in_transaction(module, function) is not None


def _picked(module: Module, call: ast.Call, loop: ast.AST) -> bool:
    """`if formset.prefix == "members": on_commit(...)`: one item of the loop is meant."""
    if not isinstance(loop, ast.For | ast.AsyncFor) or not isinstance(loop.target, ast.Name):
        return False
    below: ast.AST = call
    for ancestor in module.around(call):
        if ancestor is loop:
            return False
        if isinstance(ancestor, ast.If) and below in ancestor.body:
            test = ancestor.test
            if (
                isinstance(test, ast.Compare)
                and len(test.ops) == 1
                and isinstance(test.ops[0], ast.Eq)
                and isinstance(test.left, ast.Attribute)
                and isinstance(test.left.value, ast.Name)
                and test.left.value.id == loop.target.id
                and isinstance(module.literal(test.comparators[0]), str | int)
            ):
                return True
        below = ancestor
    return False


def _callback(
    module: Module, node: ast.expr, loop: ast.AST
) -> ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | None:
    if isinstance(node, ast.Lambda):
        return node
    if isinstance(node, ast.Name):
        for binding in module.bindings(node.id, node) or ():
            found = binding.node
            if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
                return found if loop in module.ancestors(found) else None
    return None


def _free(callback: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names that a callback looks up when it runs; its parameters and their defaults are bound."""
    body = [callback.body] if isinstance(callback, ast.Lambda) else callback.body
    names = [n for part in body for n in ast.walk(part) if isinstance(n, ast.Name)]
    own = {n.id for n in names if not isinstance(n.ctx, ast.Load)}
    args = callback.args
    own |= {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    return {n.id for n in names} - own


def _bound_by(loop: ast.AST, always: bool = False) -> set[str]:
    """Names that a round of a loop binds; those that every round binds when asked for `always`."""
    if isinstance(loop, ast.For | ast.AsyncFor):
        parts: list[ast.AST] = [loop.target, *loop.body]
    elif isinstance(loop, ast.While):
        parts = [*loop.body]
    else:
        parts = [g.target for g in getattr(loop, "generators", ())]
    names: set[str] = set()
    while parts:
        node = parts.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        skipped = _OWN_NAMES + (_CONDITIONS if always else ())
        if not isinstance(node, skipped):
            parts += ast.iter_child_nodes(node)
    return names


def _leaves(module: Module, call: ast.Call, loop: ast.AST) -> bool:
    """`on_commit(...); break`: there is no later round."""
    statement: ast.AST = call
    for ancestor in module.around(call):
        for block in (getattr(ancestor, n, None) for n in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and statement in block:
                after = block[block.index(statement) + 1 :]
                if any(isinstance(s, ast.Break | ast.Return | ast.Raise) for s in after):
                    return True
        if ancestor is loop:
            return False
        statement = ancestor
    return False


def _cure(module: Module, node: ast.expr) -> tuple[Edit, ...]:
    """`lambda: f(a.b)` as `partial(f, a.b)`: only what can be looked up early without harm."""
    if not isinstance(node, ast.Lambda) or not isinstance(node.body, ast.Call):
        return ()
    call, arguments = node.body, node.args
    if arguments.args or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
        return ()
    values = [*call.args, *(k.value for k in call.keywords)]
    plain = all(isinstance(v, ast.Name | ast.Attribute | ast.Constant) for v in values)
    if not plain or not is_free(module, node):
        return ()
    return (module.replace(node, partial_of(module, call)),)
