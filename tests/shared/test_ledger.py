"""What was meant, what was done, and how often."""

import os
import threading

import pytest
from sqlalchemy.exc import IntegrityError

from shared.database import transaction
from shared.ledger import StepClock, balance, effects, intend, worker_name
from shared.steps import begin_run


@pytest.fixture
def run_id(database: str) -> str:
    begin_run("r1", "chain", "celery")
    begin_run("r2", "chain", "celery")
    return "r1"


def execute(run_id: str, item: str, attempt: int = 1) -> None:
    clock = StepClock.start(run_id, "generate", item, attempt)
    with transaction() as session:
        clock.leave_effect(session)


def test_nothing_meant_and_nothing_done_is_balanced(run_id: str) -> None:
    with transaction(read_only=True) as session:
        books = balance(session, run_id)
    assert (books.executed, books.lost, books.repeated) == ({}, frozenset(), {})


def test_lost_and_repeated_work_is_counted_per_run(run_id: str) -> None:
    with transaction() as session:
        intend(session, run_id, "generate", ["C1-1", "C1-2", "C1-3"])
    for item in ("C1-1", "C1-2", "C1-2", "C1-2"):
        execute(run_id, item)
    execute("r2", "C1-3")
    with transaction(read_only=True) as session:
        books = balance(session, run_id)
    assert books.lost == {("generate", "C1-3")}
    assert books.repeated == {("generate", "C1-2"): 2}
    assert books.executed == {("generate", "C1-1"): 1, ("generate", "C1-2"): 3}


def test_meaning_it_again_changes_nothing(run_id: str) -> None:
    for _ in range(2):
        with transaction() as session:
            intend(session, run_id, "generate", ["C1-1"])
    execute(run_id, "C1-1")
    with transaction(read_only=True) as session:
        assert balance(session, run_id).lost == frozenset()


def test_an_effect_tells_who_when_and_which_attempt(run_id: str) -> None:
    execute(run_id, "C1-1", attempt=1)
    execute(run_id, "C1-1", attempt=2)
    with transaction(read_only=True) as session:
        first, second = effects(session, run_id)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.worker.endswith(f":{os.getpid()}")
    assert first.started_at <= first.finished_at <= second.finished_at


def test_an_effect_of_a_step_that_is_rolled_back_does_not_stay(run_id: str) -> None:
    clock = StepClock.start(run_id, "generate", "C1-1", 1)

    def step() -> None:
        with transaction() as session:
            clock.leave_effect(session)
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step()
    with transaction(read_only=True) as session:
        assert effects(session, run_id) == []


def test_an_effect_needs_a_run(database: str) -> None:
    with pytest.raises(IntegrityError):
        execute("no such run", "C1-1")


def test_a_thread_is_part_of_the_worker_and_the_name_fits_its_column() -> None:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(worker_name()), name="t" * 300)
    thread.start()
    thread.join()
    assert "/ttt" in found[0]
    assert len(found[0]) == 120
