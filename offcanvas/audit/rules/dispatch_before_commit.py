"""Task sent while the database transaction that it depends on is still open.

Bad:
    from celery import shared_task
    from django.db import transaction

    @shared_task
    def ship(order_id):
        ...

    def buy(order):
        with transaction.atomic():
            order.save()
            ship.delay(order.pk)
Good:
    from functools import partial

    from celery import shared_task
    from django.db import transaction

    @shared_task
    def ship(order_id):
        ...

    def buy(order):
        with transaction.atomic():
            order.save()
            transaction.on_commit(partial(ship.delay, order.pk))
Why: The broker is no part of the transaction. A worker can start before the commit and not find
    the row, and after a rollback it works on something that never was.
Prefect: Same danger where a run is started: start it after the commit.
Temporal: Same danger where a workflow is started: start it after the commit, with a workflow id
    made of the row's key and a sweep that starts what was forgotten.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
"""

import ast
from collections.abc import Iterator
from typing import TypeAlias

from offcanvas.audit.finding import Edit, Finding, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.rules import module_rule
from offcanvas.audit.rules._partial import IMPORT, is_free, partial_of
from offcanvas.audit.rules._transactions import (
    Opened,
    atomic_requests,
    commit_after,
    fires_inside,
    in_lambda,
    is_view,
    receiver_of,
    transaction_around,
)
from offcanvas.audit.sends import Send
from offcanvas.audit.tree import Function, FunctionNode

_Block: TypeAlias = ast.With | ast.AsyncWith | FunctionNode
_ADVICE = "send it through transaction.on_commit(partial(...))"
_DELAYED = "its countdown makes it unlikely to start too early, not to survive a rollback"


@module_rule("CEL201", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Finding]:
    """Sends within a transaction, and calls within one of functions that send."""
    for send in module.sends:
        if _sends_now(module, send):
            yield from _judged(module, send)
    blocks: list[_Block] = [*module.walk(ast.With), *module.walk(ast.AsyncWith)]
    for block in (*blocks, *(f.node for f in module.functions)):
        yield from _through_helpers(module, block)


def _sends_now(module: Module, send: Send) -> bool:
    if not send.publishes or send.deferred or send.how.endswith("_on_commit"):
        return False
    if in_lambda(module, send.node):
        return False
    base = send.task.base if send.task is not None else None
    # A base class with its own apply_async may well wait for the commit.
    return base is None or module.project.index.method(base, "apply_async").startswith("celery.")


def _judged(module: Module, send: Send) -> Iterator[Finding]:
    what = send.name or module.text(send.node)
    opened = transaction_around(module, send.node)
    doubt = _DELAYED if {"countdown", "eta"} & send.options.keys() else ""
    if opened is not None:
        edits, imports = _cure(module, send, opened)
        advice = _ADVICE if opened.django else "send it after the commit"
        yield module.finding(
            send.node,
            f"{what} is sent while {opened.what} is open, before the commit and even when it is "
            f"rolled back; {advice}",
            doubt=doubt,
            edits=edits,
            imports=imports,
        )
        return
    commit = commit_after(module, send.node)
    if commit is not None:
        yield module.finding(
            send.node,
            f"{what} is sent before the {module.text(commit)} of line {commit.lineno}; "
            "send it after the commit",
            doubt=doubt,
            related=((module.path, commit.lineno, "commits here"),),
        )
        return
    function = send.function
    if function is None:
        return
    signal = receiver_of(module, function)
    if signal is not None:
        always = atomic_requests(module.project) or fires_inside(module, signal)
        yield module.finding(
            send.node,
            f"{what} is sent by a receiver of {(module.name(signal) or '').rpartition('.')[2]}, "
            f"within the transaction of whoever writes; {_ADVICE}",
            doubt=doubt or ("" if always else "a save outside of a transaction is committed"),
        )
    elif atomic_requests(module.project) and is_view(module, function):
        yield module.finding(
            send.node,
            f"{what} is sent by a view, which ATOMIC_REQUESTS runs in a transaction; {_ADVICE}",
            doubt=doubt,
        )


def _through_helpers(module: Module, block: _Block) -> Iterator[Finding]:
    if transaction_around(module, block.body[0]) is None:
        return
    for call in module.inside(block, ast.Call):
        opened = transaction_around(module, call)
        if opened is None:
            continue
        found = module.callee(call)
        if found is None:
            continue
        there, helper = found
        send = _first_send(there, helper)
        if send is not None:
            yield module.finding(
                call,
                f"{helper.name}() sends {send.name or there.text(send.node)} in line "
                f"{send.node.lineno} of {there.path} while {opened.what} is open; "
                "send it after the commit",
                related=((there.path, send.node.lineno, "sends here"),),
            )


def _first_send(module: Module, function: Function) -> Send | None:
    sends = (s for s in module.sends if s.function is function)
    return next((s for s in sends if _sends_now(module, s)), None)


def _cure(
    module: Module, send: Send, opened: Opened
) -> tuple[tuple[Edit, ...], tuple[tuple[str, str], ...]]:
    """`transaction.on_commit(partial(t.delay, ...))` where `transaction` is imported already."""
    call = send.node
    here = next((n for n, t in module.facts.imports.items() if t == "django.db.transaction"), None)
    if (
        here is None
        or not opened.django
        or not is_free(module, call)
        or not isinstance(module.parents.get(call), ast.Expr)  # its result is used
    ):
        return (), ()
    using = f", using={module.segment(opened.using)}" if opened.using is not None else ""
    text = f"{here}.on_commit({partial_of(module, call)}{using})"
    return (module.replace(call, text),), (IMPORT,)
