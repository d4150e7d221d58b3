"""RabbitMQ rather than Redis: redelivery by connection, not by visibility timeout."""

import pytest

from offcanvas.servers import Server
from shared.policy import LONG_STEP
from tests.lessons.conftest import Enrol
from tests.lessons.school import Class, kill, until

pytestmark = pytest.mark.servers


def orphaned(lesson: Class) -> None:
    """A worker is killed with a message in hand; the next one has worked off what there was."""
    worker = lesson.start_worker()
    lesson.send("work", "orphan")
    lesson.taken("orphan")
    kill(worker)
    lesson.marks.open_door("orphan")
    lesson.start_worker()
    lesson.pass_through()


def test_on_redis_an_orphan_waits_for_the_timeout(
    enrol: Enrol, servers: tuple[Server, Server]
) -> None:
    lesson = enrol("hardened", broker=servers[1].url)
    orphaned(lesson)
    assert lesson.marks.count("begin orphan") == 1
    until(lambda: lesson.load().unacknowledged == 1, "the orphan alone, unacknowledged")
    assert lesson.app.conf.broker_transport_options["visibility_timeout"] > LONG_STEP.time_limit


def test_on_rabbitmq_it_comes_when_the_connection_breaks(enrol: Enrol) -> None:
    lesson = enrol("hardened")
    orphaned(lesson)
    lesson.ended("orphan")
    assert lesson.marks.count("begin orphan") == 2
