"""Filling and emptying, on both databases."""

import pytest
from sqlalchemy import func, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared import roll_book
from shared.assignment import assign_stations
from shared.database import engine, transaction
from shared.errors import UsageError
from shared.fake import fake_roll_book, sized
from shared.models import Base, Voter, VoterRegistration
from shared.roll_book import Row
from shared.steps import begin_run
from tests.shared.roll_book.book import center_names, contents


def fill(*sizes: int) -> None:
    with transaction() as session:
        roll_book.fill(session, sized(sizes))


def test_everything_that_was_invented_arrives(database: str) -> None:
    book = fake_roll_book(25_000)
    told: list[int] = []
    with transaction() as session:
        roll_book.fill(session, book, told.append)
        assert roll_book.voters(session) == 25_000
    assert contents() == list(book.rows())
    assert center_names() == dict(book.centers())
    assert sum(told) == 25_000


def test_a_roll_book_that_is_there_is_not_filled_over(database: str) -> None:
    fill(2)
    with pytest.raises(UsageError, match="already has a roll book"):
        fill(3)
    assert len(contents()) == 2


def test_clear_and_fill_again_in_one_transaction(database: str) -> None:
    fill(2, 0)
    begin_run("r1", "chain", "celery")
    with transaction() as session:
        assign_stations(session, "r1")
    with transaction() as session:
        roll_book.clear(session)
        roll_book.fill(session, sized([3]))
    assert len(contents()) == 3
    assert list(center_names()) == ["C0000"]


def test_clear_empties_every_table(database: str) -> None:
    fill(2)
    begin_run("r1", "chain", "celery")
    with transaction() as session:
        roll_book.clear(session)
    with transaction(read_only=True) as session:
        for table in Base.metadata.sorted_tables:
            assert session.scalar(select(func.count()).select_from(table)) == 0, table.name


def keys_of_registrations() -> list[tuple[str, ...]]:
    keys = inspect(engine()).get_foreign_keys("registrations")
    return sorted((key["referred_table"], *key["constrained_columns"]) for key in keys)


def test_foreign_keys_are_as_before_a_load(database: str) -> None:
    before = keys_of_registrations()
    fill(2)
    assert keys_of_registrations() == before == [("centers", "center_id"), ("voters", "voter_id")]


class Wrong:
    """A book that registers a voter at a center that it does not have."""

    def centers(self):
        return iter([("C1", "School")])

    def rows(self):
        return iter([Row("V1", "Ann", "C1", "School"), Row("V2", "Bob", "C2", "School")])


class Twice(Wrong):
    def rows(self):
        return iter([Row("V1", "Ann", "C1", "School"), Row("V1", "Bob", "C1", "School")])


@pytest.mark.parametrize("book", [Wrong(), Twice()], ids=["no such center", "a voter twice"])
def test_a_book_that_contradicts_itself_leaves_nothing(database: str, book: Wrong) -> None:
    def load() -> None:
        with transaction() as session:
            roll_book.fill(session, book)

    with pytest.raises(IntegrityError):
        load()
    assert contents() == []
    assert len(keys_of_registrations()) == 2


def test_a_voter_is_added_renamed_and_moved(database: str) -> None:
    def add(session: Session, name: str, center: str) -> None:
        roll_book.add_voter(session, Row("V1", name, center, f"School {center}"))

    with transaction() as session:
        add(session, "Ann", "C1")
        add(session, "Anne", "C2")
        roll_book.add_center(session, "C1", "Closed")
    assert contents() == [Row("V1", "Anne", "C2", "School C2")]
    assert center_names() == {"C1": "Closed", "C2": "School C2"}
    with transaction(read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Voter)) == 1
        assert session.scalar(select(func.count()).select_from(VoterRegistration)) == 1
