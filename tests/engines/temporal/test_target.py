"""``reroute(app, to="temporal")``: code that does not change, on Temporal."""

import re

import pytest
from celery import group

from offcanvas._reroute import reroute
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.errors import UsageError
from offcanvas.testing.suite import Rerouted, get
from tests.engines.apart import app, starts, where

pytestmark = pytest.mark.servers


@pytest.fixture
def rerouted(calls, address, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", calls.task_queue)
    with reroute(app, to="temporal") as rerouting:
        yield rerouting


def by_name(name, args, kwargs, options, task=None, **_given):
    return {"queue": "fast"} if name == where.name else None


ROUTES = [
    {where.name: {"queue": "fast"}},
    {"offcanvas.testing.tasks.wh*": "fast"},
    [{"other": {"queue": "slow"}}, {where.name: {"queue": "fast"}}],
    {re.compile(r"offcanvas\..*\.where"): {"queue": "fast"}},
    by_name,
    [by_name],
]


@pytest.fixture
def routed():
    """Sets ``task_routes`` of the app, which has none when the test is over."""

    def set_routes(routes):
        app.conf.task_routes = routes
        app.amqp.flush_routes()
        vars(app.amqp).pop("router", None)  # made once, with the routes of that time

    yield set_routes
    set_routes(None)


class TestOnTemporal(Rerouted):
    """See `Rerouted`."""


def test_without_an_address_everything_is_brought_along(calls, tmp_path, monkeypatch):
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    path = tmp_path / "written"
    with reroute(app, to="temporal", private=True):
        starts.delay(str(path))
    # Closing waits for what tasks have started in turn.
    assert path.read_text() == "3\n"


def test_queues_are_served_by_the_workers_named_for_them(rerouted, address, routed):
    def processes(canvas):
        return {process for process, _ in get(canvas.delay())}

    with private_worker(app, address) as other:
        rerouted.target.queues = {"fast": other.task_queue}
        here = processes(group(where.s() for _ in range(4)))
        there = processes(group(where.s().set(queue="fast") for _ in range(4)))
        # task_routes in each of Celery's forms, of members of a group and of a task alone.
        for routes in ROUTES:
            routed(routes)
            members = group(where.s() for _ in range(4))
            assert processes(members) | {get(where.delay())[0]} <= there, routes
        routed(None)
        assert get(where.delay())[0] in here
    assert here.isdisjoint(there)


def test_queues_are_refused_where_there_are_none(monkeypatch):
    monkeypatch.setattr(app.conf, "result_backend", "file:///nowhere")
    with pytest.raises(UsageError, match="queues= is for temporal"):
        reroute(app, to="memory", queues={"fast": "there"})
