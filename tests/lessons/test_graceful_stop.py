"""Graceful stop: what is in hand ends, or is given back.

SIGTERM is a warm shutdown with either profile: see tests/celery_impl/test_worker.py. When more
haste is asked for (SIGQUIT, or a second SIGTERM) the profiles differ.
"""

import signal

import psutil
import pytest

from tests.lessons.conftest import Enrol
from tests.lessons.school import Class, until
from tests.lessons.work import profile_of

pytestmark = pytest.mark.servers


def told_to_hurry(lesson: Class) -> psutil.Process:
    """A worker that has got SIGQUIT with a step in hand."""
    worker = lesson.start_worker()
    lesson.send("work", "in-hand")
    lesson.taken("in-hand")
    worker.send_signal(signal.SIGQUIT)
    return worker


def test_naive_cuts_it_off_and_forgets_it(enrol: Enrol) -> None:
    lesson = enrol("naive")
    told_to_hurry(lesson).wait(300)
    lesson.marks.open_door("in-hand")
    lesson.start_worker()
    lesson.pass_through()
    assert lesson.marks.count("begin in-hand") == 1
    assert lesson.marks.count("end in-hand") == 0


def test_hardened_gives_it_some_seconds(enrol: Enrol) -> None:
    seconds = profile_of("hardened", "amqp://", "").settings["worker_soft_shutdown_timeout"]
    assert 10 <= seconds < 30  # fewer here: Celery lets all of them pass
    lesson = enrol("hardened", changes={"worker_soft_shutdown_timeout": 6.0})
    worker = told_to_hurry(lesson)
    until(lambda: "Soft Shutdown" in lesson.log(), "the beginning of its shutdown")
    lesson.marks.open_door("in-hand")
    worker.wait(300)
    assert lesson.marks.all() == ["begin in-hand", "end in-hand"]
    lesson.start_worker()
    lesson.pass_through()
    assert lesson.marks.count("begin in-hand") == 1
