"""The result backend, or the server, is away while a canvas runs on Temporal."""

import time

import pytest
from celery import chord, states

from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.temporal.client import finish, start_canvas
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.servers import temporal
from tests.engines.apart import app, many, notes
from tests.engines.files import lines, wait_until
from tests.engines.outage import WAYS, results_in_redis, runs_through

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def storing(address):
    with results_in_redis() as server, private_worker(app, address, processes=2) as calls:
        yield calls, server


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_or_done_twice(storing, way, tmp_path):
    calls, server = storing

    def start(plan):
        return calls.wait(start_canvas(calls.client, app, plan, task_queue=calls.task_queue))

    runs_through(way, server, start, lambda run: calls.wait(finish(calls.client, run)), tmp_path)


def test_what_has_ended_while_the_server_was_away_is_not_lost(tmp_path):
    path = tmp_path / "notes"
    with (
        private_results(app),
        temporal() as server,
        private_worker(app, server.url, processes=2) as calls,
    ):
        plan = prepare(app, chord([notes.s(str(path), 1.0), notes.s(str(path), 1.0)], many.s()))
        started = start_canvas(
            calls.client, app, plan.plan, task_queue=calls.task_queue, heartbeat_timeout=2.0
        )
        run = calls.wait(started)
        members = [one.id for one in plan.result.parent.results]
        wait_until(lambda: path.exists() and len(lines(str(path))) == 2)
        server.freeze()
        wait_until(lambda: {app.backend.get_state(one) for one in members} == {states.SUCCESS})
        time.sleep(3)  # the heartbeats of both are overdue
        server.thaw()
        calls.wait(finish(calls.client, run))
        assert plan.result.get(timeout=60) == 2
    assert lines(str(path)) == ["begun", "begun"]
