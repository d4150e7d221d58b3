"""What two looks come to; what is said of each place is in test_plants.py."""

from offcanvas.drain.findings import Place
from offcanvas.drain.look import look
from offcanvas.drain.watch import look_twice, wait_until_drained
from tests.drain.shop import PREFIX, noop


def test_nothing_is_nothing(stage):
    found = look_twice(stage.app, 0.1)
    assert found.safe
    assert found.waiting == ()


def test_a_message_that_nobody_takes(stage):
    noop.delay()
    assert stage.waiting() == {Place.READY}
    assert stage.detail(Place.READY) == f"{PREFIX}.main: 1"
    with stage.worker():
        assert wait_until_drained(stage.app, 0.2, timeout=120).safe


def test_a_queue_that_only_a_task_names(stage):
    noop.apply_async(queue=f"{PREFIX}.urgent")
    shop_task = type(noop)
    before = getattr(shop_task, "queue", None)
    shop_task.queue = f"{PREFIX}.urgent"
    try:
        assert stage.count(Place.READY) == 1
    finally:
        shop_task.queue = before


def test_entries_of_the_schedule(stage):
    stage.app.conf.beat_schedule = {
        "nightly": {"task": "tests.drain.shop.noop", "schedule": 60.0},
    }
    found = look(stage.app).of(Place.BEAT)
    assert (found.count, found.detail.partition(";")[0]) == (1, "nightly")
    assert not look_twice(stage.app, 0.1).safe
    assert look_twice(stage.app, 0.1, [Place.BEAT]).safe


def test_a_task_that_begins_and_ends_between_two_looks(stage):
    with stage.worker():
        before = look(stage.app)
        assert before.waiting() == ()
        noop.delay().get(timeout=120)
        assert look(stage.app).begun != before.begun


def test_results_are_counted_and_keep_nobody(stage):
    with stage.worker():
        noop.delay().get(timeout=120)
        # The result is there before the message is acknowledged: a worker that is stopped between
        # the two gives the message back.
        assert wait_until_drained(stage.app, 0.2, timeout=120).safe
    assert stage.count(Place.RESULTS) == 1
    assert stage.detail(Place.RESULTS).startswith("the last expires in ")
    assert look_twice(stage.app, 0.1).safe
