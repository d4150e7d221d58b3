"""Engine, transactions, and the hook that queues work only after the commit."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from shared.errors import UsageError
from shared.models import Base
from shared.settings import masked, settings

_HOOKS = "after_commit_hooks"
_CONNECT_WITHIN = 10  # seconds
_SQLITE_WAITS = 60  # seconds for another writer to end


def make_engine(url: str) -> Engine:
    """An engine for SQLite (write-ahead log) or PostgreSQL (psycopg 3).

    Raises:
        UsageError: the address cannot be read, or names another database.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    # An address that nobody answers is an error after seconds, not after the kernel's two minutes.
    within = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_WITHIN}
    return create_engine(
        parsed, pool_pre_ping=True, pool_size=4, max_overflow=8, connect_args=within
    )


def _parse(url: str) -> URL:
    hint = "use sqlite:///file or postgresql+psycopg://user:password@host/database"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(
            f"DATABASE_URL={masked(url)!r} is not a database address: {hint}"
        ) from None
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise UsageError(
            f"DATABASE_URL={masked(url)!r}: {parsed.drivername} is not supported; {hint}"
        )
    return parsed


def _sqlite_engine(url: URL) -> Engine:
    if url.database in {None, "", ":memory:"}:
        raise UsageError(
            "DATABASE_URL names an in-memory SQLite database, which other processes cannot see: "
            "name a file, sqlite:///voters.db"
        )
    engine = create_engine(url, connect_args={"timeout": _SQLITE_WAITS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # SQLAlchemy, not the driver, says when a transaction begins; see "Pysqlite" in its docs.
        connection.isolation_level = None
        cursor = connection.cursor()
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that turns into a write can meet SQLITE_BUSY_SNAPSHOT, which no
        # timeout waits for. A writer therefore asks for the lock at once.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(cursor: Any) -> None:
    """Put the file under a write-ahead log, which it remembers.

    SQLite does not wait for a lock here, whatever the timeout: where several connections open a
    new file at once, all but one are told that it is locked.
    """
    deadline = time.monotonic() + _SQLITE_WAITS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@cache
def _engine_of(url: str, _pid: int) -> Engine:
    return make_engine(url)


def engine() -> Engine:
    """The engine of this process; a forked child gets one of its own."""
    return _engine_of(settings().required("database_url"), os.getpid())


def create_tables(target: Engine | None = None) -> None:
    """Create what is missing; running it again, or from two processes at once, changes nothing."""
    target = target or engine()
    with target.begin() as connection:
        if connection.dialect.name == "postgresql":
            # CREATE TABLE IF NOT EXISTS still races in PostgreSQL's catalogue.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(77014)")
        Base.metadata.create_all(connection)


@contextmanager
def transaction(*, read_only: bool = False) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error.

    Callbacks given to `on_commit` run after the commit, in order; after a rollback they do not.
    """
    bind = engine().execution_options(read_only=True) if read_only else engine()
    with sessionmaker(bind, expire_on_commit=False).begin() as session:
        yield session
    # Run here, not inside SQLAlchemy's event: there the transaction is closed but the connection
    # is not yet back in the pool, and an error would leave the session in an unusable state.
    for _, callback in session.info.pop(_HOOKS, []):
        callback()


def on_commit(session: Session, callback: Callable[[], object]) -> None:
    """Run `callback` once the outermost transaction of `session` has been committed.

    This is how work is queued: a message sent inside the transaction can reach a worker before
    the rows it is about, and still be there after a rollback. A callback registered inside a
    savepoint goes with the savepoint. An error raised by a callback reaches the caller; the
    commit stands, and the sweep picks up what was not queued.
    """
    hooks = session.info.setdefault(_HOOKS, [])
    if not hooks:
        event.listen(session, "after_soft_rollback", _forget)
    hooks.append((session.get_nested_transaction() or session.get_transaction(), callback))


def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    def inside(transaction: SessionTransaction | None) -> bool:
        while transaction is not None:
            if transaction is rolled_back:
                return True
            transaction = transaction.parent
        return False

    hooks = session.info.get(_HOOKS, [])
    hooks[:] = [(owner, callback) for owner, callback in hooks if not inside(owner)]
