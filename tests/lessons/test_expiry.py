"""Expiry: a message that nobody took in time is not worth executing."""

import time

import pytest

from tests.lessons.conftest import Enrol
from tests.lessons.school import until

pytestmark = pytest.mark.servers

LIFE = 0.5  # seconds


def test_naive_executes_what_nobody_needs_any_more(enrol: Enrol) -> None:
    lesson = enrol("naive")
    assert "expires" not in lesson.made.step
    lesson.marks.open_door("stale")
    stale = lesson.send("work", "stale")
    lesson.start_worker()
    assert stale.get(timeout=300) == "stale"


def test_hardened_throws_it_away(enrol: Enrol) -> None:
    lesson = enrol("hardened")
    assert lesson.made.step["expires"] > 0
    lesson.marks.open_door("stale")
    stale = lesson.send("work", "stale", expires=LIFE)
    sent = time.monotonic()
    until(lambda: time.monotonic() > sent + LIFE, "the end of its life")
    lesson.start_worker()
    lesson.pass_through()
    assert lesson.marks.all() == ["begin after", "end after"]
    # Celery sends the limit along as the message's own (AMQP, "expiration"), and RabbitMQ drops it:
    # no worker revokes the task, and nobody who waits for it is told.
    assert stale.state == "PENDING"
    until(lambda: lesson.load().idle, "nothing left")
