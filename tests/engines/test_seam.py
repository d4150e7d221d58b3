import pytest
from celery import Celery, _state, beat, chain, current_app, group
from kombu.exceptions import OperationalError

from offcanvas.celery_app.seam import DECLINED, context_route, open_route, route_for
from tests.engines.tasks import add, app


class Catcher:
    """A route that writes down what it gets."""

    def __init__(self, answer="caught"):
        self.answer = answer
        self.caught = []

    def submit(self, signature, args, kwargs, options):
        self.caught.append((signature["task"], args, kwargs, options))
        return self.answer

    def revoke(self, ids, *, terminate):
        self.caught.append(("revoke", ids, terminate))

    def replace(self, task, signature):
        raise AssertionError


@pytest.fixture
def catcher():
    route = Catcher()
    close = open_route(app, route)
    yield route
    close()


def test_only_the_outermost_call_is_seen(catcher):
    assert chain(add.s(1), group(add.s(2), add.s(3))).apply_async((5,)) == "caught"
    assert catcher.caught == [("celery.chain", (5,), {}, {})]


def test_all_kinds_are_seen(catcher):
    add.delay(1)
    add.s(1).apply_async(countdown=3)
    add.map([1]).delay()
    add.chunks([(1,)], 1).apply_async()
    app.send_task(add.name, (1,))
    names = [caught[0] for caught in catcher.caught]
    assert names == [add.name, add.name, "celery.map", "celery.chunks", add.name]
    assert catcher.caught[1][3]["countdown"] == 3


def test_revoke_goes_to_the_route(catcher):
    app.AsyncResult("x").revoke(terminate=True)
    app.GroupResult("g", [app.AsyncResult("x"), app.AsyncResult("y")]).revoke()
    app.control.revoke("x")
    app.control.revoke(["x", "y"], terminate=True)
    app.control.terminate("x")
    assert catcher.caught == [
        ("revoke", ["x"], True),
        ("revoke", ["x", "y"], False),
        ("revoke", ["x"], False),
        ("revoke", ["x", "y"], True),
        ("revoke", ["x"], True),
    ]


def test_other_apps_are_left_alone(catcher):
    other = Celery("other", broker="memory://", set_as_current=False)
    assert route_for(other) is None
    assert route_for(app) is catcher


def test_a_canvas_without_an_app_belongs_to_the_current_one(catcher):
    before = _state.get_current_app()
    app.set_current()
    try:
        assert route_for(current_app) is catcher
    finally:
        before.set_current()


def test_the_context_comes_before_the_process(catcher):
    inner = Catcher("inner")
    with context_route(app, inner):
        assert add.delay(1) == "inner"
    assert add.delay(1) == "caught"


def test_a_declined_call_is_celerys():
    close = open_route(app, Catcher(DECLINED))
    try:
        # The in-memory broker takes the message; nobody consumes it.
        assert add.delay(1).id
    finally:
        close()
    assert route_for(app) is None


def beaten(name, broker, answer):
    """Beat's scheduler with one entry that is due, and a route for its app."""
    of = Celery(name, broker=broker, set_as_current=False)
    of.conf.broker_connection_max_retries = 1
    of.conf.task_default_queue = name
    of.conf.beat_schedule = {"due": {"task": f"{name}.task", "schedule": 0.0}}

    @of.task(name=f"{name}.task")
    def task():
        """Never run."""

    route = Catcher(answer)
    return beat.Scheduler(of), route, open_route(of, route)


def test_beat_needs_no_broker_for_what_goes_elsewhere():
    scheduler, route, close = beaten("beaten", "redis://127.0.0.1:1/0", "caught")
    try:
        scheduler.tick()
        assert [caught[0] for caught in route.caught] == ["beaten.task"]
    finally:
        close()
    # With the switch closed it is Celery's own again, which connects before it sends.
    with pytest.raises(OperationalError):
        assert scheduler.producer


def test_what_a_route_leaves_to_celery_is_published_by_beat():
    scheduler, route, close = beaten("left", "memory://", DECLINED)
    try:
        scheduler.tick()
    finally:
        close()
    assert {caught[0] for caught in route.caught} == {"left.task"}
    with scheduler.app.connection() as connection, connection.SimpleQueue("left") as queue:
        assert queue.get_nowait().headers["task"] == "left.task"
