"""Time limits: a hung task costs a process for ever otherwise."""

import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from tests.lessons.conftest import Enrol
from tests.lessons.school import until

pytestmark = pytest.mark.servers

LIMIT = 2.0  # seconds


def test_naive_has_one_process_less_for_good(enrol: Enrol) -> None:
    lesson = enrol("naive")
    lesson.start_worker()
    lesson.send("work", "hung")  # its door is never opened
    lesson.begun("hung")
    lesson.marks.open_door("next")
    lesson.send("work", "next")
    patience = time.monotonic() + 3 * LIMIT
    until(lambda: time.monotonic() > patience, "three times the limit")
    assert lesson.marks.all() == ["begin hung"]
    until(lambda: lesson.load().active == 1, "its worker's answer")


def test_hardened_has_its_process_back(enrol: Enrol) -> None:
    lesson = enrol("hardened")
    limits = {"soft_time_limit": LIMIT, "time_limit": 60 * LIMIT}
    assert set(limits) <= set(lesson.made.step)  # every step of the profile has both
    lesson.start_worker()
    hung = lesson.send("work", "hung", **limits)
    lesson.pass_through("next")
    assert lesson.marks.all() == ["begin hung", "begin next", "end next"]
    with pytest.raises(SoftTimeLimitExceeded):
        hung.get(timeout=300)
