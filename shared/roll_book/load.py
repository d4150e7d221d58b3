"""Filling and emptying the roll book."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.bulk import foreign_keys_at_the_end, insert_rows, table_of
from shared.errors import UsageError
from shared.models import Base, PollingCenter, Voter, VoterRegistration
from shared.roll_book.row import Row
from shared.upsert import upsert

_BATCH = 20_000


class RollBook(Protocol):
    """A roll book that can be written down, such as an invented one."""

    def centers(self) -> Iterator[tuple[str, str]]:
        """`(center_id, center_name)` of every center."""
        ...

    def rows(self) -> Iterator[Row]:
        """Every voter, in any order, no voter twice."""
        ...


def add_center(session: Session, center_id: str, center_name: str) -> None:
    """Add a center, or rename it; the only way to a center without voters."""
    upsert(session, PollingCenter, {"center_id": center_id, "center_name": center_name})


def add_voter(session: Session, row: Row) -> None:
    """Add a voter and the center, or rename and move them; meant for a handful of rows."""
    add_center(session, row.center_id, row.center_name)
    upsert(session, Voter, {"voter_id": row.voter_id, "voter_name": row.voter_name})
    upsert(session, VoterRegistration, {"voter_id": row.voter_id, "center_id": row.center_id})


def clear(session: Session) -> None:
    """Empty every table: the roll book, and what runs have made of it."""
    tables = Base.metadata.sorted_tables
    if session.get_bind().dialect.name == "postgresql":
        names = ", ".join(table.name for table in tables)
        session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        return
    for table in reversed(tables):
        # Without a WHERE and without rows that refer to it, SQLite drops the pages whole.
        session.execute(table.delete())


def voters(session: Session) -> int:
    """How many voters the roll book has."""
    return session.scalar(select(func.count()).select_from(Voter)) or 0


def fill(
    session: Session, book: RollBook, advance: Callable[[int], object] = lambda _: None
) -> None:
    """Write a roll book into empty tables; memory does not grow with its size.

    Args:
        session: everything happens in its transaction.
        book: centers and voters.
        advance: told how many voters were written since the last call.

    Raises:
        UsageError: there are centers or voters already.
    """
    if session.scalar(select(func.count()).select_from(PollingCenter)) or voters(session):
        raise UsageError("the database already has a roll book: clear it first (--replace)")
    insert_rows(session, table_of(PollingCenter), ["center_id", "center_name"], book.centers())
    with foreign_keys_at_the_end(session, table_of(VoterRegistration)):
        for batch in _batches(book.rows()):
            names = ((row.voter_id, row.voter_name) for row in batch)
            insert_rows(session, table_of(Voter), ["voter_id", "voter_name"], names)
            places = ((row.voter_id, row.center_id) for row in batch)
            insert_rows(session, table_of(VoterRegistration), ["voter_id", "center_id"], places)
            advance(len(batch))
    analyze(session)


def analyze(session: Session) -> None:
    """Tell the query planner what has arrived; otherwise it plans for empty tables."""
    for model in (PollingCenter, Voter, VoterRegistration):
        session.execute(text(f"ANALYZE {table_of(model).name}"))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    stream = iter(rows)
    while batch := list(islice(stream, _BATCH)):
        yield batch
