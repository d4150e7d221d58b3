"""Batches on Prefect: several members of a group in one task run."""

import time
from contextlib import ExitStack

import pytest
from celery import group
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.sorting import TaskRunSort

from offcanvas._reroute import reroute
from offcanvas.engines.prefect.client import Caller
from offcanvas.servers import prefect
from tests.engines import workers
from tests.engines.apart import app, counted, counted_late, mixed
from tests.engines.batched import BatchSuite, started
from tests.engines.files import lines

pytestmark = pytest.mark.servers
MODULE = "offcanvas.engines.prefect"
OPTIONS = ("--deployment", "batches", "--processes", "3", "--heartbeat", "2", "--grace", "0")


def starter(calls, runs=None):
    def start(canvas, batch):
        plan, result = started(canvas)
        run = (calls() if callable(calls) else calls).start(app, plan, batch=batch)
        if runs is not None:
            runs.append(run)

        def finish():
            assert (calls() if callable(calls) else calls).finish(run, 300)

        return result, finish

    return start


class TestBatches(BatchSuite):
    @pytest.fixture
    def runs(self):
        return []

    @pytest.fixture
    def elsewhere(self, prefect_url, calls):
        with Caller(prefect_url, "batches") as caller:
            yield caller

    @pytest.fixture
    def batched(self, request, calls, runs):
        apart = "worker" in request.fixturenames
        return starter(request.getfixturevalue("elsewhere") if apart else calls, runs)

    @pytest.fixture
    def revoke(self, calls, runs):
        def tell(ids, *, terminate):
            calls.revoke(ids, terminate=terminate, flow_runs=runs)

        return tell

    @pytest.fixture
    def worker(self, prefect_url):
        return lambda: workers.running(MODULE, *OPTIONS, **workers.on_prefect(prefect_url))

    @pytest.fixture
    def switched(self, prefect_url, calls, monkeypatch):
        monkeypatch.setenv("PREFECT_API_URL", prefect_url)
        monkeypatch.setenv("OFFCANVAS_DEPLOYMENT", calls.deployment)
        return lambda **given: reroute(app, to="prefect", **given)

    @pytest.fixture
    def own_server(self, calls):
        with ExitStack() as stack:
            server = stack.enter_context(prefect())
            given = {**server.environment, **workers.on_prefect(server.url)}
            stack.enter_context(workers.running(MODULE, *OPTIONS, **given))
            caller = stack.enter_context(Caller(server.url, "batches"))
            yield server, starter(caller)

    @pytest.mark.parametrize(
        "task",
        [
            pytest.param(counted, id="early", marks=pytest.mark.long),  # as of slices
            pytest.param(counted_late, id="late"),
        ],
    )
    def test_a_worker_that_is_killed(self, batched, worker, task, tmp_path):
        super().test_a_worker_that_is_killed(batched, worker, task, tmp_path)

    @pytest.mark.long
    def test_a_server_that_is_restarted(self, own_server, tmp_path):
        super().test_a_server_that_is_restarted(own_server, tmp_path)


def task_runs(calls, flow_run, count):
    """The task runs of a flow run at their end, once the server's recorder has caught up."""
    flow = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
    for _ in range(3_000):
        found = calls.client.read_task_runs(
            flow_run_filter=flow, sort=TaskRunSort.EXPECTED_START_TIME_ASC, limit=50
        )
        if len(found) == count and all(one.state and one.state.is_final() for one in found):
            return found
        time.sleep(0.1)
    return pytest.fail(f"{[one.name for one in found]} are recorded")


def test_a_batch_says_what_ran(calls):
    runs = []
    members = [mixed.s("fails" if one in {2, 4} else "runs") for one in range(5)]
    _, wait = starter(calls, runs)(group(members), 5)
    wait()
    (batch,) = task_runs(calls, runs[0], 1)
    assert batch.name == f"{mixed.name} x 5"
    assert (batch.state.name, batch.state.message) == (
        "Failed",
        "3 SUCCESS, 2 FAILURE: [2] ValueError: ['fails'], [4] ValueError: ['fails']",
    )


def test_long_members_are_not_queued_behind_one_another(calls, tmp_path):
    runs = []
    path = str(tmp_path / "noted")
    members = [counted.s(one, path, None, 0.6) for one in range(10, 22)]
    _, wait = starter(calls, runs)(group(members), "auto")
    wait()
    # Each alone: the first that has taken longer than a batch is to take has shown it.
    assert {one.state.message for one in task_runs(calls, runs[0], 12)} == {"1 SUCCESS"}
    assert lines(path) == sorted(map(str, range(10, 22)))
