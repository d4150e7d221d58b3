"""Model instance, queryset, request or `self` handed to a task as an argument.

Bad:
    from celery import shared_task
    from shop.models import Order

    @shared_task
    def ship(order):
        ...

    def pay(pk):
        order = Order.objects.get(pk=pk)
        ship.delay(order)
Good:
    from celery import shared_task
    from shop.models import Order

    @shared_task
    def ship(order_id):
        ...

    def pay(pk):
        order = Order.objects.get(pk=pk)
        ship.delay(order.pk)
Why: JSON cannot carry such an object, so the send fails. Pickle carries a copy, and the task
    works on, and perhaps saves, what the row looked like when it was sent.
Prefect: Results are pickled by default, parameters of a deployment are not: pass ids.
Temporal: The data converter rejects the object or copies it: pass ids.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#state
"""

import ast
from collections.abc import Iterator
from typing import Final

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._models import kind_of

_WORDS: Final = {
    "instance": ("a model instance", "pass its primary key and read it in the task"),
    "queryset": ("a queryset", "pass the primary keys or what to filter by"),
    "request": ("a request", "pass the values that the task needs"),
    "self": ("an object", "pass the values that the task needs"),
}


@module_rule("CEL203", Severity.MEDIUM)
def check(module: Module) -> Iterator[Remark]:
    """Arguments of every send and signature, also within a list or dictionary."""
    for send in module.sends:
        if send.canvas or send.how in {"retry", "replace", "add_to_chord", "apply"}:
            continue
        for argument in (*send.written, *send.named.values()):
            for value in _values(argument):
                kind = kind_of(module, value)
                if kind:
                    what, advice = _WORDS[kind]
                    yield module.remark(
                        value,
                        f"{module.text(value)} is {what}, sent to {send.name or 'a task'}: "
                        f"{advice}",
                    )


def _values(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    if isinstance(node, ast.Dict):
        return node.values
    return [node]
