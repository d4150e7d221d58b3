"""Empty queues before changing task signatures."""

import pytest

from tests.lessons.conftest import Enrol
from tests.lessons.school import until

pytestmark = pytest.mark.servers


def test_naive_deploys_and_the_messages_under_way_fail(enrol: Enrol) -> None:
    lesson = enrol("naive")
    old = lesson.send("work", "old")
    lesson.start_worker(version=2)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'paper'"):
        old.get(timeout=300)


def test_hardened_drains_first(enrol: Enrol) -> None:
    lesson = enrol("hardened")
    lesson.send("work", "old")
    until(lambda: lesson.load().queued == 1, "a message in the queue")
    assert not lesson.load().idle
    before = lesson.start_worker()
    lesson.begun("old")
    assert not lesson.load().idle  # it is in hand
    lesson.marks.open_door("old")
    until(lambda: lesson.load().idle, "a drained queue")
    before.terminate()
    before.wait(300)
    lesson.start_worker(version=2)
    assert lesson.app.send_task("lessons.work", ["new", "A4"]).get(timeout=300) == "new"
    assert lesson.marks.all() == ["begin old", "end old", "begin new on A4"]
