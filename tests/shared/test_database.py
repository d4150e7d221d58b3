"""Transactions, and work that is queued only after the commit."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, SessionTransaction

from shared.database import create_tables, engine, make_engine, on_commit, transaction
from shared.errors import UsageError
from shared.models import PollingCenter, VoterRegistration
from tests.services import database_at


def center(number: int) -> PollingCenter:
    return PollingCenter(center_id=f"C{number}", center_name="School")


def centers() -> int:
    with transaction(read_only=True) as session:
        return session.scalar(select(func.count()).select_from(PollingCenter)) or 0


class BoomError(Exception):
    pass


@contextmanager
def lost(block: AbstractContextManager[Session | SessionTransaction]) -> Iterator[Session]:
    """A transaction, or a savepoint, that ends with an error."""
    with suppress(BoomError), block as entered:
        yield entered
        raise BoomError


def test_a_transaction_is_all_or_nothing(database: str) -> None:
    with lost(transaction()) as session:
        session.add(center(1))
        session.flush()
    assert centers() == 0


def test_foreign_keys_are_enforced(database: str) -> None:
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(VoterRegistration(voter_id="nobody", center_id="nowhere"))


def test_callbacks_run_after_the_commit_and_in_order(database: str) -> None:
    seen: list[tuple[str, int]] = []
    with transaction() as session:
        session.add(center(1))
        on_commit(session, lambda: seen.append(("first", centers())))
        on_commit(session, lambda: seen.append(("second", centers())))
        assert seen == []
    assert seen == [("first", 1), ("second", 1)]


def test_callbacks_do_not_run_after_a_rollback(database: str) -> None:
    seen: list[str] = []
    with lost(transaction()) as session:
        on_commit(session, lambda: seen.append("queued"))
    assert seen == []


def test_callbacks_do_not_run_when_the_commit_itself_fails(database: str) -> None:
    seen: list[str] = []

    def step() -> None:
        with transaction() as session:
            session.add(VoterRegistration(voter_id="nobody", center_id="nowhere"))
            on_commit(session, lambda: seen.append("queued"))

    with pytest.raises(IntegrityError):
        step()
    assert seen == []


def test_a_callback_of_one_transaction_does_not_run_with_the_next(database: str) -> None:
    seen: list[str] = []
    with transaction() as session:
        on_commit(session, lambda: seen.append("one"))
    with transaction() as session:
        session.add(center(1))
    assert seen == ["one"]


def test_a_callback_goes_with_its_savepoint(database: str) -> None:
    seen: list[str] = []

    def note(session: Session, word: str) -> None:
        on_commit(session, lambda: seen.append(word))

    with transaction() as session:
        note(session, "outer")
        with session.begin_nested():
            note(session, "kept savepoint")
        with lost(session.begin_nested()):
            note(session, "lost savepoint")
            with session.begin_nested():
                note(session, "released inside a lost savepoint")
        with session.begin_nested():
            note(session, "around a lost one")
            with lost(session.begin_nested()):
                note(session, "lost within")
            note(session, "after a lost one")
        note(session, "last")
    assert seen == ["outer", "kept savepoint", "around a lost one", "after a lost one", "last"]


def test_rows_of_a_lost_savepoint_are_gone_and_the_others_stay(database: str) -> None:
    with transaction() as session:
        session.add(center(1))
        with lost(session.begin_nested()):
            session.add(center(2))
            session.flush()
    with transaction(read_only=True) as session:
        assert session.scalars(select(PollingCenter.center_id)).all() == ["C1"]


def test_an_error_in_a_callback_reaches_the_caller_and_the_commit_stands(database: str) -> None:
    def fail() -> None:
        raise BoomError

    def step() -> None:
        with transaction() as session:
            session.add(center(1))
            on_commit(session, fail)

    with pytest.raises(BoomError):
        step()
    assert centers() == 1


def send_to_a_worker(work: Callable[[], None]) -> None:
    """A worker that is as quick as a message can be: it has finished before the sender goes on."""
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


@pytest.mark.parametrize("after_commit", [False, True], ids=["at once", "after the commit"])
def test_work_sent_inside_the_transaction_does_not_find_its_rows(
    database: str, after_commit: bool
) -> None:
    found: list[int] = []

    def work() -> None:
        found.append(centers())

    with transaction() as session:
        session.add(center(1))
        session.flush()
        if after_commit:
            on_commit(session, lambda: send_to_a_worker(work))
        else:
            send_to_a_worker(work)
    assert found == ([1] if after_commit else [0])


def test_readers_do_not_wait_for_a_writer(database: str) -> None:
    with transaction() as session:
        session.add(center(1))
        session.flush()
        assert centers() == 0
    assert centers() == 1


def test_writers_that_read_first_wait_for_one_another(database: str) -> None:
    """On SQLite a deferred transaction would fail here with SQLITE_BUSY, whatever the timeout."""
    together = threading.Barrier(2)
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            together.wait(timeout=300)
            for turn in range(20):
                with transaction() as session:
                    session.scalar(select(func.count()).select_from(PollingCenter))
                    session.add(center(number * 100 + turn))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert centers() == 40


def create_at_once(url: str) -> list[Exception]:
    """Create the tables over four connections that know nothing of each other."""
    failures: list[Exception] = []
    together = threading.Barrier(4)

    def create() -> None:
        target = make_engine(url)
        try:
            together.wait(timeout=300)
            create_tables(target)
        except Exception as error:
            failures.append(error)
        finally:
            target.dispose()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("attempt", range(5))
def test_a_new_sqlite_file_can_be_taken_into_use_by_several_at_once(
    sqlite_url: str, attempt: int
) -> None:
    assert create_at_once(sqlite_url) == []
    with database_at(sqlite_url):
        assert centers() == 0


@pytest.mark.services
def test_postgresql_tables_can_be_created_by_several_at_once(postgres_database: str) -> None:
    with engine().begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    assert create_at_once(postgres_database) == []
    assert centers() == 0


def test_a_forked_child_has_an_engine_of_its_own(sqlite_database: str) -> None:
    mine = engine()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        same = engine() is mine
        os.write(writer, b"same" if same else b"own")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        assert answer.read() == b"own"
    assert engine() is mine


def test_an_address_without_a_driver_means_psycopg() -> None:
    target = make_engine("postgresql://someone@nowhere/x")
    assert target.dialect.driver == "psycopg"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://host/x",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+asyncpg://h/x",
    ],
)
def test_an_address_that_cannot_work_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="DATABASE_URL"):
        make_engine(url)


def test_without_an_address_the_error_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="DATABASE_URL is not set: export it, or run"):
        engine()
