"""Many rows into one table, as fast as the database takes them, inside the session's transaction.

PostgreSQL: COPY. SQLite: one prepared INSERT. Rows are streamed: nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Dialect, Table, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.models import Base


def table_of(model: type[Base]) -> Table:
    """The table of a model, typed as one."""
    return Base.metadata.tables[model.__tablename__]


def insert_rows(
    session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Insert `rows`, each with the values of `columns` in that order.

    Raises:
        sqlalchemy.exc.DBAPIError: as SQLAlchemy would raise it, `IntegrityError` for a key that is
            there already: this verb is for rows that are new.
    """
    connection = session.connection()
    dialect = connection.dialect
    driver: Any = connection.connection.driver_connection
    target = f"{dialect.identifier_preparer.format_table(table)} ({', '.join(columns)})"
    copy = dialect.name == "postgresql"
    holes = ", ".join("?" * len(columns))
    statement = (
        f"COPY {target} FROM STDIN" if copy else f"INSERT INTO {target} VALUES ({holes})"  # noqa: S608 - the table's own names
    )
    try:
        if copy:
            with driver.cursor().copy(statement) as stream:
                for row in rows:
                    stream.write_row(row)
        else:
            driver.executemany(statement, rows)
    except _driver_error(dialect) as error:
        # SQLAlchemy has not seen this call, so it has not put its own name on the error either.
        raise DBAPIError.instance(
            statement, None, error, _driver_error(dialect), hide_parameters=True, dialect=dialect
        ) from error


def _driver_error(dialect: Dialect) -> type[Exception]:
    base: type[Exception] = dialect.loaded_dbapi.Error
    return base


@contextmanager
def foreign_keys_at_the_end(session: Session, table: Table) -> Iterator[None]:
    """Check an empty table's foreign keys once, after the load, as PostgreSQL's manual advises.

    One join checks a million rows in a second; row by row it is two thirds of the whole load
    ("Populating a Database", 14.4.4). The keys are dropped and added within the transaction, so
    that nobody sees the table without them. A table with rows keeps them throughout: adding them
    would check everything that is there, under a lock that keeps readers out.
    """
    if (
        session.get_bind().dialect.name != "postgresql"
        or session.execute(select(table).limit(1)).first()
    ):
        yield
        return
    found = text(
        "SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid = CAST(:name AS regclass)"
    )
    keys = session.execute(found, {"name": table.name}).all()
    for name, _ in keys:
        session.execute(text(f"ALTER TABLE {table.name} DROP CONSTRAINT {name}"))
    yield
    for name, definition in keys:
        session.execute(text(f"ALTER TABLE {table.name} ADD CONSTRAINT {name} {definition}"))
