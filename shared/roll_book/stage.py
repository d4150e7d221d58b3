"""Rows on their way from a file into the roll book.

They wait in temporary tables of the import's own transaction. There the database finds what no
single row shows, a voter who stands twice and a center with two names, in sorted order and with
memory that does not grow; and from there it takes over all of them in three statements.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Session

from shared.bulk import foreign_keys_at_the_end, insert_rows, table_of
from shared.models import Base, PollingCenter, Voter, VoterRegistration
from shared.roll_book.load import analyze
from shared.roll_book.read import BadRow, GoodRow
from shared.roll_book.row import COLUMNS
from shared.upsert import insert_for

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_TEMPORARY: Any = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}
_METADATA = MetaData()

_ROWS = Table(
    "import_rows",
    _METADATA,
    Column("line", Integer, primary_key=True, autoincrement=False),
    *(Column(name, _TEXT, nullable=False) for name in COLUMNS),
    **_TEMPORARY,
)
# `record` is missing where the row itself stands in import_rows.
_FAULTS = Table(
    "import_faults",
    _METADATA,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("reason", _TEXT, nullable=False),
    Column("record", _TEXT),
    **_TEMPORARY,
)


class Staging:
    """The temporary tables; a context manager that removes them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Self:
        _METADATA.create_all(self._session.connection(), checkfirst=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:  # an error rolls their creation back
            _METADATA.drop_all(self._session.connection(), checkfirst=False)

    def add(self, batch: Sequence[GoodRow | BadRow]) -> None:
        """Put rows down, good and bad."""
        good = ((item.line, *item.row) for item in batch if isinstance(item, GoodRow))
        insert_rows(self._session, _ROWS, ["line", *COLUMNS], good)
        bad = [(x.line, x.reason, x.record) for x in batch if isinstance(x, BadRow)]
        if bad:
            insert_rows(self._session, _FAULTS, ["line", "reason", "record"], bad)

    def find_contradictions(self) -> int:
        """Reject what contradicts an earlier line; returns the number of all bad rows."""
        self._session.execute(text("ANALYZE import_rows"))
        self._reject(_duplicates())
        self._reject(_renamed_centers())
        return self._session.scalar(select(func.count()).select_from(_FAULTS)) or 0

    def _reject(self, found: Any) -> None:
        self._session.execute(insert(_FAULTS).from_select(["line", "reason"], found))

    def bad_rows(self) -> Iterator[BadRow]:
        """Every bad row, in the order of lines, streamed."""
        query = (
            select(_FAULTS, *(_ROWS.c[name] for name in COLUMNS))
            .outerjoin(_ROWS, _ROWS.c.line == _FAULTS.c.line)
            .order_by(_FAULTS.c.line)
        )
        for line, reason, record, *values in self._session.execute(
            query, execution_options={"yield_per": 1_000}
        ):
            yield BadRow(line, reason, _as_csv(values) if record is None else record)

    def merge(self) -> tuple[int, int]:
        """Take the good rows over; returns how many voters and centers they name."""
        good = select(_ROWS).where(~_rejected()).subquery()
        centers = select(good.c.center_id, func.min(good.c.center_name)).group_by(good.c.center_id)
        self._upsert(PollingCenter, centers)
        # In the order of the key, so that the index grows at its end.
        voters = select(good.c.voter_id, good.c.voter_name).order_by(good.c.voter_id)
        self._upsert(Voter, voters)
        places = select(good.c.voter_id, good.c.center_id).order_by(good.c.voter_id)
        with foreign_keys_at_the_end(self._session, table_of(VoterRegistration)):
            self._upsert(VoterRegistration, places)
        analyze(self._session)
        counts = select(func.count(), func.count(good.c.center_id.distinct())).select_from(good)
        voters_named, centers_named = self._session.execute(counts).one()
        return voters_named, centers_named

    def _upsert(self, model: type[Base], rows: Any) -> None:
        key, value = (column.name for column in model.__table__.columns)
        rows = rows.where(literal(True))  # SQLite cannot parse SELECT ... ON CONFLICT without it
        statement = insert_for(self._session, model).from_select([key, value], rows)
        new, old = statement.excluded[value], model.__table__.c[value]
        self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[key], set_={value: new}, where=old != new
            )
        )


def _rejected() -> Any:
    return select(_FAULTS.c.line).where(_FAULTS.c.line == _ROWS.c.line).exists()


def _duplicates() -> Any:
    first = func.min(_ROWS.c.line).over(partition_by=_ROWS.c.voter_id).label("first")
    seen = select(_ROWS.c.line, _ROWS.c.voter_id, first).subquery()
    reason = (
        literal("duplicate voter ", _TEXT)
        .concat(seen.c.voter_id)
        .concat(": already in line ")
        .concat(cast(seen.c.first, String))
    )
    return select(seen.c.line, reason).where(seen.c.line != seen.c.first)


def _renamed_centers() -> Any:
    window: dict[str, Any] = {"partition_by": _ROWS.c.center_id, "order_by": _ROWS.c.line}
    seen = (
        select(
            _ROWS.c.line,
            _ROWS.c.center_id,
            _ROWS.c.center_name,
            func.first_value(_ROWS.c.center_name).over(**window).label("name"),
            func.first_value(_ROWS.c.line).over(**window).label("first"),
        )
        .where(~_rejected())
        .subquery()
    )
    reason = (
        literal("center ", _TEXT)
        .concat(seen.c.center_id)
        .concat(" has two names: ")
        .concat(seen.c.center_name)
        .concat(" here, ")
        .concat(seen.c.name)
        .concat(" in line ")
        .concat(cast(seen.c.first, String))
    )
    return select(seen.c.line, reason).where(seen.c.center_name != seen.c.name)


def _as_csv(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()
