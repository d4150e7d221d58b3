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
Why: The broker is not part of the transaction. A worker can start before the commit and not find
    the row, and after a rollback it works on something that never was.
Prefect: Same danger where a run is started: start it after the commit.
Temporal: Same danger where a workflow is started: start it after the commit, with a workflow id
    made of the row's key and a sweep that starts what was forgotten.
Source: https://docs.celeryq.dev/en/stable/userguide/tasks.html#database-transactions
"""

import ast
from collections.abc import Iterator
from typing import TypeAlias

from offcanvas.audit.finding import Edit, Remark, Severity
from offcanvas.audit.module import Module
from offcanvas.audit.reach import Place, leads_to
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
from offcanvas.audit.rules._writes import may_write
from offcanvas.audit.sends import Send
from offcanvas.audit.tree import Function, FunctionNode

_Block: TypeAlias = ast.With | ast.AsyncWith | FunctionNode
_ADVICE = "send it through transaction.on_commit(partial(...))"
_FAR = 3
_MANY_CALLS = "the way from here to the send may depend on conditions"
_NO_WRITE = "nothing is seen to be written in it"
_DELAYED = "its countdown makes it unlikely to start too early, not to survive a rollback"


@module_rule("CEL201", Severity.HIGH, fixes=True)
def check(module: Module) -> Iterator[Remark]:
    """Sends within a transaction, and calls within one of functions that send."""
    for send in module.sends:
        if _sends_now(module, send):
            yield from _judged(module, send)
    blocks: list[_Block] = [*module.walk(ast.With), *module.walk(ast.AsyncWith)]
    told: set[tuple[str, int]] = set()
    for block in (*blocks, *(f.node for f in module.functions)):
        yield from _through_helpers(module, block, told)


def _sends_now(module: Module, send: Send) -> bool:
    if not send.publishes or send.deferred or send.how.endswith("_on_commit"):
        return False
    if in_lambda(module, send.node):
        return False
    base = send.task.base if send.task is not None else None
    # A base class with its own apply_async may well wait for the commit.
    return base is None or module.project.index.method(base, "apply_async").startswith("celery.")


def _judged(module: Module, send: Send) -> Iterator[Remark]:
    what = send.name or module.text(send.node)
    opened = transaction_around(module, send.node)
    doubt = _DELAYED if {"countdown", "eta"} & send.options.keys() else ""
    if opened is not None:
        writes = _writes(module, send)
        if not writes and opened.doubt:
            return  # nothing is written, on a database that is only read
        doubt = doubt or opened.doubt or ("" if writes else _NO_WRITE)
        edits, imports = _cure(module, send, opened)
        advice = _ADVICE if opened.django else "send it after the commit"
        yield module.remark(
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
        yield module.remark(
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
        yield module.remark(
            send.node,
            f"{what} is sent by a receiver of {(module.name(signal) or '').rpartition('.')[2]}, "
            f"within the transaction of whoever writes; {_ADVICE}",
            doubt=doubt or ("" if always else "a save outside of a transaction is committed"),
        )
    elif atomic_requests(module.project) and is_view(module, function):
        yield module.remark(
            send.node,
            f"{what} is sent by a view, which ATOMIC_REQUESTS runs in a transaction; {_ADVICE}",
            doubt=doubt,
        )


def _writes(module: Module, send: Send) -> bool:
    """Whether the block or function around a send may write; one that holds nothing else may."""
    block: ast.AST | None = None
    for ancestor in module.around(send.node):
        if isinstance(ancestor, ast.With | ast.AsyncWith):
            block = ancestor
            break
    if block is None and send.function is not None:
        block = send.function.node
    if block is None:
        return True
    sends = {id(s.node) for s in module.sends if s.publishes}
    others = [c for c in module.inside(block, ast.Call, nested=True) if id(c) not in sends]
    opens = {id(i.context_expr) for i in getattr(block, "items", ())}
    return all(id(c) in opens for c in others) or may_write(module, block, sends)


def _through_helpers(module: Module, block: _Block, told: set[tuple[str, int]]) -> Iterator[Remark]:
    """Calls that lead to a send; each send is told once in a file, at the first of them."""
    if transaction_around(module, block.body[0]) is None:
        return
    for call in module.inside(block, ast.Call):
        opened = transaction_around(module, call)
        if opened is None:
            continue
        found = leads_to(module, call, _send_in)
        if found is not None and (found.path, found.place.line) not in told:
            told.add((found.path, found.place.line))
            yield module.remark(
                call,
                f"{found.way} sends {found.place.what} in line "
                f"{found.place.line} of {found.path} while {opened.what} is open; "
                "send it after the commit",
                doubt=opened.doubt or ("" if len(found.through) < _FAR else _MANY_CALLS),
                related=((found.path, found.place.line, "sends here"),),
            )


def _send_in(module: Module, function: Function) -> Place | None:
    """The first send in a function's own body that is neither deferred nor in a transaction."""
    for send in module.sends:
        # What stands in a transaction of its own is said there.
        if (
            send.function is function
            and _sends_now(module, send)
            and transaction_around(module, send.node) is None
        ):
            return Place(send.node.lineno, send.name or module.text(send.node))
    return None


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
