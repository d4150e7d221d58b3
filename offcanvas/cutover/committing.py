"""Claims in the caller's own transaction, sent when that is committed.

Where the claims are in the same database as the caller's work, work and claim come to be together
or not at all. Nothing is sent before the commit, and nothing after a rollback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.orm import Session

from offcanvas.celery_app.seam import route_for
from offcanvas.cutover.stores import is_django
from offcanvas.errors import UsageError


@dataclass(frozen=True, slots=True)
class Joined:
    """A transaction that a claim is to be part of.

    Attributes:
        within: what ``Claims.claim`` takes.
        after: calls a function when the transaction is committed.
        sure: whether ``after`` is called only if the claim has stayed; not so with savepoints.
    """

    within: Any
    after: Callable[[Callable[[], None]], None]
    sure: bool = True


#: What each session is to send when it commits.
_waiting: WeakKeyDictionary[Any, list[Callable[[], None]]] = WeakKeyDictionary()
_given: ContextVar[Any] = ContextVar("session", default=None)


@contextmanager
def sent_on_commit(session: Any) -> Iterator[None]:
    """What is sent inside is claimed in the transaction of ``session``, and sent on its commit.

    Args:
        session: a session of SQLAlchemy.
    """
    token = _given.set(session)
    try:
        yield
    finally:
        _given.reset(token)


def joined(address: str, session: Callable[[], Any] | None) -> Joined | None:
    """The transaction that the caller has open where the claims are; None if there is none."""
    if is_django(address):
        return _of_django(address)
    own = _given.get()
    if own is None and session is not None:
        own = session()
        if own is not None and not own.in_transaction():
            return None
    return None if own is None else _of_sqlalchemy(own)


def _of_django(address: str) -> Joined | None:
    transaction: Any = import_module("django.db.transaction")

    from offcanvas.cutover.django import open_transaction

    alias = open_transaction(address)
    if alias is None:
        return None
    # Django itself drops what was registered inside of a savepoint that is rolled back.
    return Joined(alias, lambda send: transaction.on_commit(send, using=alias))


def send_django_tasks_in_transactions() -> None:
    """``delay_on_commit`` and ``apply_async_on_commit`` of Celery's Django tasks, claimed at once.

    They would call ``delay`` when the transaction is committed. A process that dies between the two
    loses the order; a claim in the transaction does not.
    """
    if "django" not in sys.modules:
        return
    task: Any = import_module("celery.contrib.django.task").DjangoTask
    for name, inner in (("delay_on_commit", "delay"), ("apply_async_on_commit", "apply_async")):
        later = vars(task)[name]
        if not hasattr(later, "__wrapped__"):
            setattr(task, name, _at_once(later, inner))


def _at_once(later: Callable[..., Any], inner: str) -> Callable[..., Any]:
    @wraps(later)
    def on_commit(self: Any, *args: Any, **kwargs: Any) -> None:
        route = route_for(self.app)
        joins = getattr(route, "joins_transactions", None)
        if joins is not None and joins(self.name):
            getattr(self, inner)(*args, **kwargs)
        else:
            later(self, *args, **kwargs)

    return on_commit


def _of_sqlalchemy(given: Any) -> Joined:
    session = given() if callable(given) else given  # a scoped_session gives its session
    if not isinstance(session, Session):
        raise UsageError(
            f"sent_on_commit takes a session of SQLAlchemy, which says when it has committed, and "
            f"not {type(given).__name__}"
        )
    if session not in _waiting:
        _waiting[session] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_rollback", _rolled_back)
    nested = bool(session.in_nested_transaction())
    return Joined(session, _waiting[session].append, sure=not nested)


def _committed(session: Any) -> None:
    if session.in_nested_transaction():
        return  # a savepoint is released, and the transaction goes on
    sends, _waiting[session][:] = list(_waiting[session]), []
    for send in sends:
        send()


def _rolled_back(session: Any) -> None:
    if not session.in_nested_transaction():
        _waiting[session].clear()
