"""Limits, losses and revokes: what a worker does around a task, and what outlives it."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError

from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.prefect.client import Caller
from tests.engines.apart import (
    add,
    app,
    dies,
    dies_once,
    endless,
    hangs_once,
    interrupted,
    leaves,
    note,
    noted,
    sleeps,
    starts,
    write,
)
from tests.engines.files import lines, wait_for, wait_until
from tests.engines.workers import on_prefect

pytestmark = pytest.mark.servers


def test_limits_interrupt_and_kill(on_engine):
    assert on_engine(interrupted.s()).get() == "interrupted"
    outcome = on_engine(chord([endless.s(), add.s(1)], add.si(1)))
    assert isinstance(outcome.error, TimeLimitExceeded)


def test_a_process_that_dies_fails_its_task_alone(on_engine, path):
    outcome = on_engine(chord([dies.s(), add.s(1)], add.si(1)))
    assert isinstance(outcome.error, WorkerLostError)
    assert str(outcome.error) == "Worker exited prematurely: signal 9 (SIGKILL)."
    assert str(on_engine(leaves.s(3)).error) == "Worker exited prematurely: exitcode 3."
    assert on_engine(dies_once.s(path)).get() == "survived"


def started(calls, canvas):
    prepared = prepare(app, canvas)
    return prepared.result, calls.start(app, prepared.plan)


def test_a_task_that_waits_is_revoked(calls, path):
    result, run = started(calls, chain(write.s("ran", path=path).set(countdown=8), add.si(1)))
    calls.revoke([result.parent.id], flow_runs=[run])
    assert calls.finish(run, 300)
    with pytest.raises(TaskRevokedError, match="revoked"):
        result.get(timeout=300)
    assert not os.path.exists(path)  # noqa: PTH110  # as above


def test_a_running_task_is_terminated(calls, path):
    result, run = started(calls, sleeps.s(path))
    wait_for(path)
    calls.revoke([result.id], terminate=True)
    assert calls.finish(run, 300)
    with pytest.raises(TaskRevokedError, match="terminated"):
        result.get(timeout=300)


def test_cancelling_the_flow_run_ends_all_its_tasks(calls, path):
    result, run = started(calls, group(sleeps.s(path), sleeps.s(path).set(countdown=2)))
    wait_for(path)
    calls.cancel(run)
    assert calls.finish(run, 300)
    assert [child.state for child in result] == ["REVOKED", "REVOKED"]
    assert calls.client.read_flow_run(run).state.is_cancelled()


@contextmanager
def worker(url):
    """A worker as a user starts it."""
    command = [
        sys.executable,
        "-m",
        "offcanvas.engines.prefect",
        "tests.engines.apart:app",
    ]
    options = ["--deployment", "faults", "--processes", "3", "--heartbeat", "2", "--grace", "0"]
    process = subprocess.Popen(
        [*command, *options],
        env={**os.environ, **on_prefect(url)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            assert "at work for canvas/faults" in process.stdout.readline()
            try:
                yield process
            finally:
                process.terminate()
                process.wait(300)
    finally:
        process.kill()


def test_canvases_outlive_workers_that_are_killed_and_stopped(calls, prefect_url, tmp_path):
    names = ("done", "early", "late", "after", "linked")
    done, early, late, after, linked = (str(tmp_path / name) for name in names)
    header = [
        write.si("once", path=done).set(link=write.si("linked", path=linked)),
        starts.si(linked),
        sleeps.si(early),
        hangs_once.si(late),
    ]
    canvas = group(chain(member, write.si("after", path=after)) for member in header)
    begun, waited = str(tmp_path / "begun"), str(tmp_path / "waited")
    waits = chain(write.si("once", path=begun), write.si("late", path=waited).set(countdown=1))
    with Caller(prefect_url, "faults") as caller:
        with worker(prefect_url) as first:
            result, run = started(caller, canvas)
            for one in (done, early, late):
                wait_for(one)
            first.send_signal(signal.SIGKILL)
            first.wait(300)
        with worker(prefect_url):
            assert caller.finish(run, 300)
            waiting, run = started(caller, waits)
            wait_for(begun)
        with worker(prefect_url):
            assert caller.finish(run, 300)
    states = [child.state for child in result]
    assert states == ["SUCCESS", "SUCCESS", "FAILURE", "SUCCESS"]
    assert isinstance(result.results[2].parent.result, WorkerLostError)
    assert result.results[3].parent.result == "survived"
    # What had ended is not done twice, and what had not begun is done.
    assert (tmp_path / "done").read_text() == "once\n"
    assert (tmp_path / "after").read_text() == "after\n" * 3
    assert sorted((tmp_path / "linked").read_text().splitlines()) == ["3", "linked"]
    assert waiting.state == "SUCCESS"
    assert (tmp_path / "begun").read_text() == "once\n"
    assert (tmp_path / "waited").read_text() == "late\n"


@pytest.mark.long
def test_a_worker_that_was_frozen_does_not_go_on_with_what_others_have(
    calls, prefect_url, tmp_path
):
    path = str(tmp_path / "noted")
    canvas = chord([note.s(number, path) for number in range(300)], noted.s(path))
    with Caller(prefect_url, "faults") as caller, worker(prefect_url) as first:
        result, run = started(caller, canvas)
        wait_until(lambda: os.path.exists(path) and len(lines(path)) > 20)  # noqa: PTH110  # a path is text here
        # The worker alone: what its processes are doing they end.
        first.send_signal(signal.SIGSTOP)
        try:
            with worker(prefect_url):
                begun = len(lines(path))
                wait_until(lambda: len(lines(path)) > begun + 20, "another worker goes on")
                first.send_signal(signal.SIGCONT)
                assert caller.finish(run, 300)
        finally:
            first.send_signal(signal.SIGCONT)
    # What its processes were doing they have ended, and the other has found it.
    assert lines(path) == sorted([*map(str, range(300)), "body"])
    assert result.get(timeout=60) == sum(range(300))
