"""acks_late: a message is acknowledged when the work is done, not when it begins."""

import pytest

from tests.lessons.conftest import Enrol
from tests.lessons.school import Class, kill, until

pytestmark = pytest.mark.servers


def killed_in_the_middle(lesson: Class) -> list[str]:
    """The marks after the worker was killed at work, and the next one has gone on after it."""
    worker = lesson.start_worker()
    lesson.send("work", "cut-off")
    lesson.taken("cut-off")
    kill(worker)
    lesson.marks.open_door("cut-off")
    lesson.start_worker()
    lesson.pass_through()
    return lesson.marks.all()


def test_naive_forgets_what_a_killed_worker_had_in_hand(enrol: Enrol) -> None:
    naive = enrol("naive")
    assert killed_in_the_middle(naive) == ["begin cut-off", "begin after", "end after"]
    until(lambda: naive.load().idle, "nothing left")


def test_hardened_has_it_from_the_broker_again(enrol: Enrol) -> None:
    hardened = enrol("hardened")
    marks = killed_in_the_middle(hardened)
    hardened.ended("cut-off")
    assert marks.count("begin cut-off") == 2
