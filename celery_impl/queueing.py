"""Queue after commit: a message must not overtake the rows that it is about."""

from __future__ import annotations

from typing import Any

from celery.canvas import Signature
from sqlalchemy.orm import Session

from celery_impl.app import PROFILE
from shared.database import on_commit


def queue(session: Session, canvas: Signature[Any]) -> None:
    """Send a canvas that is about what `session` writes.

    Hardened: once the transaction has been committed, and not at all after a rollback. Naive: at
    once, as people write it first. A worker may then be told of rows that it cannot see yet, or
    that will never be.
    """
    if PROFILE.queue_after_commit:
        on_commit(session, canvas.apply_async)
    else:
        canvas.apply_async()
