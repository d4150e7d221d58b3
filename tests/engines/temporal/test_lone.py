"""Tasks sent alone as activities without a workflow: what they come to, and what goes on as one."""

import asyncio
import os
import subprocess
import uuid
from contextlib import contextmanager

import pytest
from celery import VERSION, group
from celery.exceptions import NotRegistered, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from temporalio.client import ActivityExecutionStatus, WorkflowExecutionStatus

from offcanvas._reroute import reroute
from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.temporal.caller import caller
from offcanvas.engines.temporal.lone import finish_lone, fits, revoke_everywhere, start_lone
from offcanvas.engines.temporal.payload import unpack
from offcanvas.errors import EngineUnavailable, UsageError
from offcanvas.servers import temporal
from offcanvas.servers.temporal import _executable
from offcanvas.testing.suite import get
from tests.engines import workers
from tests.engines.apart import (
    add,
    app,
    boom,
    counted,
    counted_late,
    dies,
    dies_once,
    endless,
    flaky,
    notes,
    retries_with,
    revokes,
    sleeps,
    tries_again,
    write,
)
from tests.engines.exact import ALONE, CASES, PENDING, _answer, _stamped
from tests.engines.files import lines, wait_for, wait_until
from tests.engines.odd import noted, rated, requeued_once, retries_quietly

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]
TASK_QUEUE = "lone"


def started(calls, canvas, task_queue=None, **options):
    """The result of a task, and the handle of its activity."""
    prepared = sent(app, prepare(app, canvas, (), {}, options), asked=False)
    branch = Branch(prepared.plan)
    assert fits(app, branch)
    begun = start_lone(
        calls.client,
        app,
        branch,
        task_queue=task_queue or calls.task_queue,
        heartbeat_timeout=4.0,
    )
    return prepared.result, calls.wait(begun)


def ended(calls, handle):
    calls.wait(asyncio.wait_for(finish_lone(calls.client, handle), 300))


def status(calls, handle):
    return calls.wait(handle.describe()).status


@pytest.fixture
def on_activity(calls):
    """As ``on_engine``, by an activity where the canvas is a task that one can begin with."""

    def run(canvas, *args, **options):
        prepared = sent(app, prepare(app, canvas, args, {}, options), asked=False)
        if prepared.plan is not None and fits(app, Branch(prepared.plan)):
            begun = start_lone(
                calls.client, app, Branch(prepared.plan), task_queue=calls.task_queue
            )
            ended(calls, calls.wait(begun))
        elif prepared.plan is not None:
            assert calls.walk(app, prepared.plan, timeout=300)
        return outcome_of(prepared.result, timeout=0.2, interval=0.05)

    return run


ALONE_CASES = [name for name in CASES if name[1] == ALONE]


@pytest.mark.skipif(VERSION < (5, 7), reason="exact is as Celery 5.7")
@pytest.mark.parametrize("name", ALONE_CASES, ids=" ".join)
def test_what_is_exact_is_so_without_a_workflow(on_activity, name, path):
    case = CASES[name]
    outcome = on_activity(case.made(path), **case.options)
    written = lines(path) if os.path.exists(path) else []  # noqa: PTH110  # a path is text here
    assert (_answer(outcome, case), sorted(written)) == (case.answer, sorted(case.lines))
    assert (outcome.state == "PENDING") == (case.answer == PENDING)


@pytest.fixture
def rerouted(calls, address, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", calls.task_queue)
    with reroute(app, to="temporal", lone="activity") as rerouting:
        yield rerouting


def test_callers_get_celerys_results(rerouted):
    results = [add.delay(1), boom.delay(), revokes.delay([])]
    assert get(results[0]) == 2
    with pytest.raises(ValueError, match="boom"):
        get(results[1])
    assert get(results[2]) is None
    assert [rerouted.target.started(one.id) for one in results] == [one.id for one in results]
    assert get(group(add.s(1), add.s(2)).delay()) == [2, 3]


def test_one_id_sent_twice(calls, rerouted, path):
    first = notes.apply_async((path, 4), task_id=str(uuid.uuid4()))
    wait_for(path)
    second = notes.apply_async((path,), task_id=first.id)
    assert get(first) == get(second)
    assert lines(path) == ["begun"]
    # When it has ended, which the server knows after the caller, it runs again, as on Celery.
    handle = calls.client.get_activity_handle(first.id)
    wait_until(lambda: status(calls, handle) == ActivityExecutionStatus.COMPLETED)
    get(notes.apply_async((path,), task_id=first.id))
    wait_until(lambda: lines(path) == ["begun"] * 2)


def test_what_fails_is_seen_where_people_look(calls, address):
    results = [started(calls, canvas) for canvas in (add.s(1), boom.s(0), dies.s())]
    for _, handle in results:
        ended(calls, handle)
    listed = subprocess.run(
        [_executable(), "activity", "list", "--address", address, "--limit", "10000"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines_of = [next(ln for ln in listed.splitlines() if one.id in ln) for one, _ in results]
    expected = [(add, "Completed"), (boom, "Failed"), (dies, "Failed")]
    for line, (task, how) in zip(lines_of, expected, strict=True):
        assert (task.name in line, how in line) == (True, True)
    assert isinstance(results[2][0].result, WorkerLostError)


@pytest.mark.parametrize(
    ("canvas", "value"),
    [
        (flaky.s(4), 4),
        (requeued_once.s(), [0, "again"]),
        (retries_with.s(1_500_000), 1_500_000),
    ],
    ids=["retried", "requeued", "retried with much"],
)
def test_a_retry_goes_on_as_a_workflow(calls, canvas, value):
    result, handle = started(calls, canvas)
    ended(calls, handle)
    assert result.get(timeout=60) == value
    (name,) = unpack(calls.wait(handle.result()))["spawned"]
    found = calls.wait(calls.client.get_workflow_handle(name).describe())
    assert (found.status, name.startswith(result.id)) == (WorkflowExecutionStatus.COMPLETED, True)


def test_a_retry_that_does_not_end_the_task_runs_beside_it(calls, path):
    result, handle = started(calls, retries_quietly.s(path))
    ended(calls, handle)
    wait_until(lambda: len(lines(path)) == 2)
    assert (result.state, lines(path)) == ("SUCCESS", ["attempt 0", "attempt 1"])


def test_limits_are_those_of_the_task(calls, path):
    result, handle = started(calls, endless.s().on_error(write.si("errback", path=path)))
    ended(calls, handle)
    assert isinstance(result.result, TimeLimitExceeded)
    assert lines(path) == ["errback"]


def test_a_process_that_dies_takes_the_task_along_or_it_runs_again(calls, path):
    result, handle = started(calls, dies.s())
    ended(calls, handle)
    assert str(result.result) == "Worker exited prematurely: signal 9 (SIGKILL)."
    result, handle = started(calls, dies_once.s(path))
    ended(calls, handle)
    assert result.get(timeout=60) == "survived"


def test_a_callback_of_a_task_without_a_workflow_has_none_either(calls, path):
    callback = noted.s(path=path).set(task_id=str(uuid.uuid4()))
    _, handle = started(calls, add.s(1).set(link=callback))
    ended(calls, handle)
    assert lines(path) == ["ran 2"]
    theirs = calls.client.get_activity_handle(callback.id)
    assert status(calls, theirs) == ActivityExecutionStatus.COMPLETED


# -- revoke


def revoke(calls, result, **given):
    calls.wait(revoke_everywhere(calls.client, app, [result.id], **given))


def test_what_waits_for_a_worker_is_revoked(calls, path):
    result, handle = started(calls, write.s("ran", path=path), "nobody-is-there")
    other, waits = started(calls, add.s(1), "nobody-is-there")
    revoke(calls, result)
    assert status(calls, handle) == ActivityExecutionStatus.CANCELED
    assert status(calls, waits) == ActivityExecutionStatus.RUNNING
    # Whoever revokes twice, as where the first one was interrupted, does no harm.
    revoke(calls, result)
    with _worker(calls, "nobody-is-there"):
        assert other.get(timeout=60) == 2
        with pytest.raises(TaskRevokedError, match="revoked"):
            result.get(timeout=60)
    assert not os.path.exists(path)  # noqa: PTH110  # as above


@contextmanager
def _worker(calls, task_queue):
    options = ("--processes", "2", "--task-queue", task_queue)
    address = calls.client.service_client.config.target_host
    with workers.running("offcanvas.engines.temporal", *options, TEMPORAL_ADDRESS=address) as one:
        yield one


def test_what_runs_is_terminated(calls, path):
    result, handle = started(calls, sleeps.s(path).on_error(write.si("errback", path=f"{path}-2")))
    wait_for(path)
    revoke(calls, result, terminate=True)
    ended(calls, handle)
    with pytest.raises(TaskRevokedError, match="terminated"):
        result.get(timeout=60)
    assert status(calls, handle) == ActivityExecutionStatus.CANCELED


def test_what_runs_ends_if_it_is_not_to_be_terminated(calls, path):
    result, handle = started(calls, sleeps.s(path, 3))
    wait_for(path)
    revoke(calls, result)
    ended(calls, handle)
    assert (result.get(timeout=60), status(calls, handle)) == (
        None,
        ActivityExecutionStatus.COMPLETED,
    )


def test_a_retry_of_what_was_revoked_while_it_ran_does_not_run(calls, path):
    result, handle = started(calls, tries_again.s(path))
    wait_for(path)
    revoke(calls, result)
    write.run("go", path=f"{path}-go")
    ended(calls, handle)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=60)
    assert lines(path) == ["attempt 0"]


def test_a_retry_that_waits_is_revoked(calls, path):
    write.run("go", path=f"{path}-go")
    result, handle = started(calls, tries_again.s(path, countdown=6))
    calls.wait(asyncio.wait_for(handle.result(), 60))
    revoke(calls, result)
    # Celery, too, looks whether it is revoked when it is about to begin.
    ended(calls, handle)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=60)
    assert lines(path) == ["attempt 0"]


# -- losses


def test_a_worker_that_is_killed_loses_nothing(calls, tmp_path):
    path, held, late = (str(tmp_path / name) for name in ("noted", "held", "late"))
    with _worker(calls, TASK_QUEUE) as worker:
        early, first = started(calls, counted.s(1, path, held), TASK_QUEUE)
        again, second = started(calls, counted_late.s(2, path, late), TASK_QUEUE)
        wait_for(held)
        wait_for(late)
        rest = [started(calls, counted.s(number, path), TASK_QUEUE) for number in range(3, 13)]
        worker.kill()
    with _worker(calls, TASK_QUEUE):
        for _, handle in [(early, first), (again, second), *rest]:
            ended(calls, handle)
    assert isinstance(early.result, WorkerLostError)
    assert again.get(timeout=60) == 2
    assert [one.get(timeout=60) for one, _ in rest] == list(range(3, 13))
    assert sorted(map(int, lines(path))) == [1, 2, 2, *range(3, 13)]


@pytest.mark.usefixtures("calls")  # for the results
def test_a_server_that_is_killed_loses_nothing(tmp_path):
    path = tmp_path / "noted"
    with (
        temporal() as server,
        caller(server.url, TASK_QUEUE) as there,
        _worker(there, TASK_QUEUE),
    ):
        tasks = [counted.s(number, str(path), None, 0.2) for number in range(100, 130)]
        sent = [started(there, one, TASK_QUEUE) for one in tasks]
        wait_until(lambda: path.exists() and len(lines(str(path))) > 3)
        server.kill()
        server.start()
        for _, handle in sent:
            ended(there, handle)
    assert [one.get(timeout=60) for one, _ in sent] == list(range(100, 130))
    assert lines(str(path)) == sorted(map(str, range(100, 130)))


# -- where there is none


def test_a_server_without_such_activities_is_told_of_in_one_line(calls, monkeypatch):
    with temporal({"activity.enableStandalone": "false"}) as server:
        monkeypatch.setenv("TEMPORAL_ADDRESS", server.url)
        with pytest.raises(EngineUnavailable, match="lone='activity': this Temporal server"):
            reroute(app, to="temporal", lone="activity")
        with reroute(app, to="temporal") as switch:
            result = add.apply_async((1,), countdown=600)
            result.revoke()
            workflow = switch.target.started(result.id)
        assert workflow.startswith(result.id)


def test_what_no_worker_knows_fails_as_on_celery(calls, address, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", calls.task_queue)
    with reroute(app, to="temporal", lone="activity", unknown=True):
        result = app.signature("tests.nobody.knows").delay()
    with pytest.raises(NotRegistered):
        result.get(timeout=60)


def test_it_is_for_temporal_alone(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    with pytest.raises(UsageError, match="lone='activity' is for temporal"):
        reroute(app, to="prefect", lone="activity")


@pytest.mark.parametrize(
    "canvas",
    [
        group(add.s(1), add.s(2)),
        add.s(1) | add.s(2),
        add.s(1).set(countdown=5),
        rated.s(),
        add.map([1, 2]),
        add.s(1).set(task_id="x" * 300),
        _stamped(add.s(1)),
    ],
    ids=["group", "chain", "countdown", "rate limit", "map", "long id", "stamped"],
)
def test_what_needs_a_workflow_has_one(canvas):
    assert not fits(app, Branch(prepare(app, canvas).plan))
