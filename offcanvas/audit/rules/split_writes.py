"""Two writes of a task that belong together, with no transaction around them.

Bad:
    from celery import shared_task
    from shop.models import Item, Order

    @shared_task
    def buy(user_id, product_id):
        order = Order.objects.create(user_id=user_id)
        Item.objects.create(order=order, product_id=product_id)
Good:
    from celery import shared_task
    from django.db import transaction
    from shop.models import Item, Order

    @shared_task
    def buy(user_id, product_id):
        with transaction.atomic():
            order = Order.objects.create(user_id=user_id)
            Item.objects.create(order=order, product_id=product_id)
Why: A worker that is killed between two writes leaves the first without the second, and a retry
    begins with the first one again.
Prefect: transaction() keeps results and runs hooks; it is not a transaction of the database.
Temporal: One activity, one transaction of the database.
Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/
"""

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._models import kind_of, query
from offcanvas.audit.rules._repeats import task_function
from offcanvas.audit.rules._transactions import transaction_around

_CREATES: Final = frozenset({"create", "bulk_create", "get_or_create", "update_or_create"})
_WRITES: Final = _CREATES | {"update", "delete", "bulk_update"}


@module_rule("CEL312", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """One finding for each task: the first two writes of one block that follow one another."""
    for function in module.tasks:
        writes = [
            (call, target)
            for call in module.inside(function.node, ast.Call)
            if task_function(module, call) is function
            and (target := _target(module, call))
            and transaction_around(module, call) is None
        ]
        for (first, one), (second, other) in pairwise(writes):
            if one == other or not _follows(module, first, second) or function.task is None:
                continue
            if _clears(first) and _clears(second):
                continue  # the next run clears away what this one has left
            yield module.remark(
                second,
                f"{function.task.name} writes here and in line {first.lineno} without a "
                "transaction: a worker lost between them leaves only the first; use "
                "transaction.atomic()",
                doubt="" if _uses(module, first, second) else "each may stand for itself",
                related=((module.path, first.lineno, "the first write"),),
            )
            break


def _target(module: Module, call: ast.Call) -> str:
    """What a call writes to, as far as it writes a row: a model or a variable, else ""."""
    found = query(module, call)
    if found is not None and found.methods and found.methods[-1] in _WRITES:
        return found.model
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr in {"save", "delete"}:
        return module.text(func.value) if kind_of(module, func.value) == "instance" else ""
    return ""


def _clears(call: ast.Call) -> bool:
    """`.delete()` of a row or of whatever a query finds."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "delete"


def _follows(module: Module, first: ast.Call, second: ast.Call) -> bool:
    """Whether both are done one after the other: statements of the same block."""
    return _block(module, first) == _block(module, second) != 0


def _block(module: Module, node: ast.AST) -> int:
    statement = node
    while statement in module.parents and not isinstance(statement, ast.stmt):
        statement = module.parents[statement]
    above = module.parents.get(statement)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(above, name, None)
        if isinstance(block, list) and statement in block:
            return id(block)
    return 0


def _uses(module: Module, first: ast.Call, second: ast.Call) -> bool:
    """Whether the second write names the row that the first one has made."""
    assign = module.parents.get(first)
    if not isinstance(assign, ast.Assign):
        return False
    made = {n.id for t in assign.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    given = (*second.args, *(k.value for k in second.keywords))
    return any(isinstance(n, ast.Name) and n.id in made for a in given for n in ast.walk(a))
