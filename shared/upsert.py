"""INSERT ... ON CONFLICT for both databases, behind two verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.models import Base

_INSERT = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

# SQLite allows 32,766 bound values in one statement; our widest row has eight.
_BATCH = 4_000


def insert_for(session: Session, model: type[Base]) -> Any:
    """The dialect's own `insert(model)`, which knows ON CONFLICT."""
    return _INSERT[session.get_bind().dialect.name](model)


def insert_missing(
    session: Session, model: type[Base], rows: Sequence[Mapping[str, object]]
) -> None:
    """Insert the rows whose key is not there yet; leave the others as they are."""
    for start in range(0, len(rows), _BATCH):
        batch = list(rows[start : start + _BATCH])
        session.execute(insert_for(session, model).values(batch).on_conflict_do_nothing())


def upsert(session: Session, model: type[Base], row: Mapping[str, object]) -> None:
    """Insert a row, or update the row with the same key to these values."""
    keys = [column.name for column in inspect(model).primary_key]
    statement = insert_for(session, model).values(**row)
    changed = {name: statement.excluded[name] for name in row if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
