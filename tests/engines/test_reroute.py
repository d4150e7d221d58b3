import contextlib
import os
import subprocess
import sys

import psutil
import pytest
from celery import Celery, chain, chord, group
from celery.exceptions import (
    NotRegistered,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)

from offcanvas._reroute import reroute
from offcanvas.canvas.lift import lift
from offcanvas.celery_app.private_results import backend_set_aside
from offcanvas.errors import CanvasWarning, EngineUnavailable, UnknownEngine, UsageError
from tests.engines import apart
from tests.engines.files import lines, wait_for, wait_until
from tests.engines.lookalikes import suite

TIMEOUT = 60


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """The tasks, with results in a folder; open to the pool's processes by an environment name."""
    kept = f"file://{tmp_path_factory.mktemp('results')}"
    with pytest.MonkeyPatch.context() as patch, backend_set_aside(apart.app):
        patch.setenv("OFFCANVAS_TEST_RESULTS", kept)
        patch.setattr(apart.app.conf, "result_backend", kept)
        yield apart


@pytest.fixture(scope="module")
def rerouted(remote):
    """The app, rerouted for the whole module: processes are slow to start."""
    with reroute(remote.app, to="memory"):
        yield remote


def get(result):
    return result.get(timeout=TIMEOUT, interval=0.02)


def test_every_way_of_calling(rerouted):
    add, total = rerouted.add, rerouted.total
    results = [
        add.delay(1),
        add.apply_async((1,), {"y": 2}),
        add.s(1)(2),
        chain(add.s(1), add.s(2)).delay(),
        group(add.s(1), add.s(2))(),
        chord([add.s(1), add.s(2)])(total.s()),
        add.map([1, 2]).delay(),
        add.chunks([(1,), (2,)], 1)(),
        rerouted.app.send_task("offcanvas.testing.tasks.add", (5,)),
    ]
    # add.s(1)(2) calls the function, in Celery as here.
    assert results.pop(2) == 3
    assert [get(result) for result in results] == [2, 3, 4, [2, 3], 5, [2, 3], [[2], [3]], 6]


def test_tasks_run_in_processes_apart(rerouted):
    assert get(rerouted.where.delay())[0] != os.getpid()


CALLER = """
import time
from offcanvas._reroute import reroute
from tests.engines import apart

with reroute(apart.app, to="memory"):
    print(apart.where.delay().get(timeout=300, interval=0.02)[0], flush=True)
    time.sleep(600)
"""


def test_processes_end_with_a_caller_that_is_killed(remote):
    caller = subprocess.Popen([sys.executable, "-c", CALLER], stdout=subprocess.PIPE, text=True)
    with caller:
        pid = int(caller.stdout.readline())
        caller.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(TIMEOUT)
    assert not psutil.pid_exists(pid)


def test_callers_have_celerys_results(rerouted):
    result = chain(rerouted.add.s(1), rerouted.add.s(2)).delay()
    assert get(result) == 4
    assert (result.state, result.parent.get(), result.ready()) == ("SUCCESS", 2, True)
    result.forget()
    assert result.state == "PENDING"


def test_a_group_result_is_saved_and_restored(rerouted):
    result = group(rerouted.add.s(1), rerouted.add.s(2)).delay()
    result.save()
    assert get(rerouted.app.GroupResult.restore(result.id)) == [2, 3]


def test_failures_reach_the_caller(rerouted):
    result = chain(rerouted.boom.s(), rerouted.add.s(1)).delay()
    with pytest.raises(ValueError, match="boom"):
        get(result)


def test_what_tasks_do_while_they_run(rerouted):
    assert get(rerouted.flaky.delay(3)) == 3
    assert get(rerouted.swapped.delay(1)) == 12
    started = get(rerouted.starts_one.delay(5))
    assert get(rerouted.app.AsyncResult(started)) == 6


def test_a_task_of_another_service_goes_to_the_broker(rerouted):
    sent = [
        rerouted.app.send_task("no.such.task", queue="theirs"),
        rerouted.app.signature("no.such.task").apply_async(queue="theirs"),
        chain(
            rerouted.app.signature("no.such.task"), rerouted.app.signature("nor.this")
        ).apply_async(queue="theirs"),
    ]
    with rerouted.app.connection_for_read() as connection:
        queue = connection.SimpleQueue("theirs")
        messages = [queue.get(timeout=TIMEOUT) for _ in sent]
    assert [one.headers["task"] for one in messages] == ["no.such.task"] * 3


def test_a_task_of_another_service_goes_to_the_broker_from_a_task_too(rerouted):
    alone = rerouted.sends_a_stranger.delay("theirs-too")
    in_a_chain = chain(rerouted.add.s(1), rerouted.sends_a_stranger.si("theirs-too")).delay()
    assert [get(alone), get(in_a_chain)] == [["no.such.task", True]] * 2


def test_a_task_of_a_name_that_nobody_knows_fails_in_the_worker(remote):
    with reroute(remote.app, to="memory", unknown=True, only=()):
        result = remote.app.send_task("no.such.task")
        with pytest.raises(NotRegistered, match=r"no\.such\.task"):
            get(result)


def test_a_canvas_with_a_stranger_in_it_is_rerouted_with_a_warning(rerouted):
    mixed = chain(rerouted.add.s(1), rerouted.app.signature("no.such.task"))
    with pytest.warns(CanvasWarning, match=r"no\.such\.task: unknown to this app") as warned:
        result = mixed.delay()
    assert warned[0].filename == __file__
    with pytest.raises(NotRegistered, match=r"no\.such\.task"):
        get(result)


def test_soft_time_limits_interrupt(rerouted):
    assert get(rerouted.interrupted.delay()) == "interrupted"


def test_revoked_tasks_do_not_run(rerouted, tmp_path):
    path = tmp_path / "ran"
    result = rerouted.write.apply_async(("ran",), {"path": str(path)}, countdown=0.5)
    result.revoke()
    with pytest.raises(TaskRevokedError):
        get(result)
    assert not path.exists()


def test_a_task_revokes_others(rerouted, tmp_path):
    path = tmp_path / "ran"
    result = rerouted.write.apply_async(("ran",), {"path": str(path)}, countdown=10)
    get(rerouted.revokes.delay([result.id]))
    with pytest.raises(TaskRevokedError):
        get(result)
    assert not path.exists()


def test_running_tasks_are_terminated(rerouted, tmp_path):
    path = str(tmp_path / "begun")
    result = rerouted.sleeps.delay(path)
    wait_for(path)
    rerouted.app.control.revoke(result.id, terminate=True)
    with pytest.raises(TaskRevokedError, match="terminated"):
        get(result)


def test_a_hard_limit_kills_and_a_process_that_dies_fails_its_task_alone(rerouted, tmp_path):
    for task, error in (rerouted.endless, TimeLimitExceeded), (rerouted.dies, WorkerLostError):
        with pytest.raises(error):
            get(task.delay())
    assert get(rerouted.dies_once.delay(str(tmp_path / "died"))) == "survived"


def test_only_the_named_tasks_are_rerouted(remote):
    with reroute(remote.app, to="memory", only={remote.add.name}) as rerouting:
        assert rerouting._is_mine(lift(remote.add.s(1) | remote.add.s(2)))
        assert not rerouting._is_mine(lift(remote.add.s(1) | remote.total.s()))


def test_an_engine_that_is_no_target(remote):
    with pytest.raises(UnknownEngine, match="cannot reroute to 'nowhere'"):
        reroute(remote.app, to="nowhere")


def test_an_app_without_shared_results_is_refused():
    app = Celery("lonely", broker="memory://", backend="cache+memory://", set_as_current=False)
    with pytest.raises(EngineUnavailable, match="set result_backend to one that processes share"):
        reroute(app, to="memory")


def test_what_looks_like_a_reference_is_a_value(rerouted):
    secret = rerouted.big.delay(2_000)
    get(secret)
    canvas, expected = suite(secret.id)
    assert get(canvas.delay()) == expected


def test_a_reference_that_leads_nowhere_fails_its_task_alone(rerouted, tmp_path):
    path, told = tmp_path / "forgotten", str(tmp_path / "told")
    # The callback runs once the engine has been told of the result, and where it is.
    first = rerouted.big.s(5_000).set(link=rerouted.notes.si(told))
    header = [first, rerouted.waits_for.s(str(path))]
    waits = chord(header, rerouted.length.s()).delay()
    large = waits.parent.results[0]
    wait_for(told)
    large.forget()
    path.touch()
    with pytest.raises(LookupError, match="no longer in the result backend"):
        get(waits)
    assert get(rerouted.add.delay(1)) == 2


def test_one_id_sent_twice(rerouted, tmp_path):
    path = str(tmp_path / "noted")
    first = rerouted.notes.apply_async((path, 1.0), task_id="once")
    second = rerouted.notes.apply_async((path,), task_id="once")
    assert get(first) == get(second)
    assert lines(path) == ["begun"]
    itself = str(tmp_path / "itself")
    rerouted.sends_itself_again.apply_async((itself,), task_id="itself")
    wait_until(lambda: os.path.exists(itself) and lines(itself) == ["begun"] * 2)  # noqa: PTH110  # a path is text here


@pytest.mark.parametrize(
    ("only", "told"),
    [
        (
            "offcanvas.testing.tasks.add",
            r"only= takes a list or set of names of tasks: only=",
        ),
        (["offcanvas.testing.tasks.ad"], r"no task 'offcanvas\.testing\.tasks\.ad'; did you mean"),
        (["something.else"], "no task 'something.else'; import the module that defines it"),
    ],
)
def test_names_that_no_task_has_are_refused(remote, only, told):
    with pytest.raises(UsageError, match=told):
        reroute(remote.app, to="memory", only=only)


def test_tasks_stand_for_their_names(remote):
    with reroute(remote.app, to="memory", only=[remote.add]) as rerouting:
        assert rerouting._is_mine(lift(remote.add.s(1)))


@pytest.mark.parametrize(
    "given", [{"private": True}, {"client": 1}, {"fail_workflows": False}, {"heartbeat_timeout": 9}]
)
def test_what_an_engine_has_not_is_refused(remote, given):
    (name,) = given
    with pytest.raises(UsageError, match=rf"{name}= is for temporal.*, and not for memory"):
        reroute(remote.app, to="memory", **given)


OPEN_FOR_EVER = """
from offcanvas import reroute
from tests.engines.apart import add, app

if __name__ == "__main__":
    reroute(app, to="memory")
    print(add.delay(1).get(timeout=60))
"""
SWITCHED = """
from celery import Celery
from offcanvas import reroute

app = Celery("switched", backend="file://RESULTS", set_as_current=False)

@app.task
def add(x):
    return x + 1

reroute(app, to="memory")
"""
CALLS = """
from switched import add
if __name__ == "__main__":
    print(add.delay(1).get(timeout=60))
"""


def script(folder, text, **environment):
    (folder / "script.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},  # noqa: PTH109  # text
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_a_switch_that_is_never_closed_does_not_hold_up_the_exit(remote, tmp_path):
    ran = script(tmp_path, OPEN_FOR_EVER)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2\n", "")


def test_a_switch_in_a_module_is_not_open_in_the_processes_that_import_it(tmp_path):
    (tmp_path / "switched.py").write_text(SWITCHED.replace("RESULTS", str(tmp_path)))
    ran = script(tmp_path, CALLS)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2\n", "")
