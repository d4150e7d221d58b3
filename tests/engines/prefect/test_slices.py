"""Slices of a wide group: flow runs that all workers of a pool share."""

from collections import Counter

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError, WorkerLostError
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import StateType

from offcanvas._reroute import reroute
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.job import SLICE, TAG
from offcanvas.engines.prefect.slices import claimed, spread_of
from offcanvas.errors import UsageError
from offcanvas.servers import prefect
from tests.engines import workers
from tests.engines.apart import (
    add,
    app,
    boom,
    counted,
    counted_late,
    echo,
    flaky,
    mixed,
    who_runs,
    write,
)
from tests.engines.batched import started
from tests.engines.files import lines, wait_for, wait_until

MODULE = "offcanvas.engines.prefect"
OPTIONS = ("--deployment", "slices", "--processes", "2", "--heartbeat", "2", "--grace", "0")
EARLY_AND_LATE = pytest.mark.parametrize(
    "task",
    [
        pytest.param(counted, id="early"),
        pytest.param(counted_late, id="late", marks=pytest.mark.long),
    ],
)


@pytest.fixture
def worker(prefect_url):
    return lambda: workers.running(MODULE, *OPTIONS, **workers.on_prefect(prefect_url))


def slices_of(caller, flow_run_id):
    """The slices that a flow run has started."""
    tags = FlowRunFilterTags(all_=[SLICE, f"{TAG}:{flow_run_id}"])
    return caller.client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=tags))


@pytest.fixture
def caller(calls, prefect_url):
    with Caller(prefect_url, "slices") as caller:
        yield caller


@pytest.mark.servers
def test_on_two_workers(caller, worker, tmp_path):
    with worker(), worker():
        two_workers_share_one_canvas(caller)
        failures_errbacks_and_revokes_are_those_of_one_canvas(caller, tmp_path)


def two_workers_share_one_canvas(caller):
    members = [chain(who_runs.s(0.3), echo.s()) for _ in range(40)]
    canvas = chord([*members, flaky.s(1), mixed.s("swapped")], echo.s())
    plan, result = started(canvas)
    run = caller.start(app, plan, spread=8)
    assert caller.finish(run, 300)
    *processes, again, swapped = result.get(timeout=60)
    # Each worker has a fork server of its own.
    assert len({parent for _, parent in processes}) == 2
    assert (again, swapped) == (1, "swapped")
    # Those that the flow run itself has walked are not cancelled: a server goes on looking
    # after what was cancelled.
    slices = slices_of(caller, run)
    assert len(slices) == 10  # of 82 tasks, eight each
    assert {one.state.type for one in slices} == {StateType.COMPLETED}
    assert {one.state.name for one in slices} <= {"Completed", "Taken back"}


def failures_errbacks_and_revokes_are_those_of_one_canvas(caller, tmp_path):
    path, held = str(tmp_path / "noted"), str(tmp_path / "held")
    failing = chord([add.s(1), add.s(2), boom.s(), add.s(3)], echo.s())
    failing.on_error(write.si("errback", path=path))
    members = [counted.s(one, path, held if one == 5 else None) for one in range(8)]
    plan, result = started(failing)
    assert caller.finish(caller.start(app, plan, spread=2), 300)
    assert "boom" in str(result.result)
    wait_until(lambda: lines(path) == ["errback"])
    plan, result = started(group(members))
    run = caller.start(app, plan, spread=2)
    wait_for(held)
    caller.revoke([result.children[5].id], terminate=True, flow_runs=[run])
    assert caller.finish(run, 300)
    assert [one.state for one in result.children] == [
        "REVOKED" if number == 5 else "SUCCESS" for number in range(8)
    ]
    with pytest.raises(TaskRevokedError, match="terminated"):
        result.children[5].get(timeout=60)
    assert lines(path) == sorted([*"01234567", "errback"])


@pytest.mark.servers
@EARLY_AND_LATE
def test_a_worker_that_is_killed(caller, worker, task, tmp_path):
    path, held = str(tmp_path / "noted"), str(tmp_path / "held")
    members = [task.s(one, path, held if one == 0 else None, 0.1) for one in range(30)]
    with worker() as first:
        plan, result = started(chord(members, echo.s()))
        run = caller.start(app, plan, spread=5)
        wait_for(held)
        first.kill()
        first.wait(60)
    with worker(), worker():
        assert caller.finish(run, 300)
    # Two processes: one was held, the other may have been in the middle of another member.
    ran = Counter(map(int, lines(path)))
    assert sorted(ran) == list(range(30))
    lost = [one for one in result.parent.children if one.state == "FAILURE"]
    if task is counted:
        assert isinstance(result.parent.children[0].result, WorkerLostError)
        assert 1 <= len(lost) <= 2
        assert ran.total() == 30
    else:
        assert result.get(timeout=60) == list(range(30))
        assert ran[0] == 2
        assert 31 <= ran.total() <= 32


@pytest.mark.servers
@pytest.mark.long
@EARLY_AND_LATE
def test_a_worker_that_was_frozen(caller, worker, task, tmp_path):
    path = tmp_path / "noted"
    members = [task.s(one, str(path), None, 0.2) for one in range(100, 130)]
    with worker() as first:
        plan, result = started(group(members))
        run = caller.start(app, plan, spread=5)
        wait_until(lambda: path.exists() and len(lines(str(path))) > 3)
        first.freeze()
        try:
            with worker():
                assert caller.finish(run, 300)
                first.thaw()
        finally:
            first.thaw()
    # Its processes have ended what they were doing, and begun nothing that others have.
    assert [one.state for one in result.children] == ["SUCCESS"] * 30
    assert lines(str(path)) == sorted(map(str, range(100, 130)))


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.usefixtures("calls")  # for the results
def test_a_server_that_is_restarted(tmp_path):
    path = tmp_path / "noted"
    members = [counted.s(one, str(path), None, 0.2) for one in range(100, 130)]
    with prefect() as server:
        given = {**server.environment, "PREFECT_WORKER_QUERY_SECONDS": "0.5"}
        with (
            workers.running(MODULE, *OPTIONS, **given),
            workers.running(MODULE, *OPTIONS, **given),
            Caller(server.url, "slices") as caller,
        ):
            plan, result = started(group(members))
            run = caller.start(app, plan, spread=5)
            wait_until(lambda: path.exists() and len(lines(str(path))) > 3)
            server.kill()
            server.start()
            assert caller.finish(run, 300)
    assert [one.state for one in result.children] == ["SUCCESS"] * 30
    assert lines(str(path)) == sorted(map(str, range(100, 130)))


@pytest.mark.servers
async def test_a_slice_is_walked_by_one(calls, prefect_url):
    run = calls.start(app, started(add.s(1))[0])
    async with PrefectClient(prefect_url) as client:
        assert await claimed(client, run, "first")
        assert not await claimed(client, run, "second")
        assert await claimed(client, run, "first")
    assert calls.finish(run, 60)


@pytest.mark.parametrize("given", [0, -1, True, "many", 1.5])
def test_a_size_that_is_none_is_refused(given):
    with pytest.raises(UsageError, match="spread="):
        spread_of(given)


def test_other_engines_refuse_it():
    with pytest.raises(UsageError, match="spread= is for prefect"):
        reroute(app, to="memory", spread=10)
