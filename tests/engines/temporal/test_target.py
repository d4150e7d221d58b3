"""``reroute(app, to="temporal")``: code that does not change, on Temporal."""

import pytest
from celery import group

from offcanvas.engines.temporal.run import deployment
from offcanvas.errors import UsageError
from offcanvas.reroute import reroute
from tests.engines.apart import app, starts, where
from tests.engines.canvases import Rerouted, get

pytestmark = pytest.mark.servers


@pytest.fixture
def rerouted(calls, address, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", calls.task_queue)
    with reroute(app, to="temporal") as rerouting:
        yield rerouting


class TestOnTemporal(Rerouted):
    """See `Rerouted`."""


def test_without_an_address_everything_is_brought_along(calls, tmp_path, monkeypatch):
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    path = tmp_path / "written"
    with reroute(app, to="temporal"):
        starts.delay(str(path))
    # Closing waits for what tasks have started in turn.
    assert path.read_text() == "3\n"


def test_queues_are_served_by_the_workers_named_for_them(rerouted, address):
    def processes(canvas):
        return {process for process, _ in get(canvas.delay())}

    with deployment(app, address) as other:
        rerouted.target.queues = {"fast": other.task_queue}
        here = processes(group(where.s() for _ in range(4)))
        there = processes(group(where.s().set(queue="fast") for _ in range(4)))
    assert here.isdisjoint(there)


def test_queues_are_refused_where_there_are_none(monkeypatch):
    monkeypatch.setattr(app.conf, "result_backend", "file:///nowhere")
    with pytest.raises(UsageError, match="queues= is for temporal"):
        reroute(app, to="memory", queues={"fast": "there"})
