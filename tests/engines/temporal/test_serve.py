"""``python -m offcanvas.engines.temporal``: a worker that finishes its tasks when it is stopped."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from celery import chain, chord

from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.temporal.caller import caller
from offcanvas.engines.temporal.client import finish, start_canvas
from tests.engines.apart import add, app, quotes, sleeps, write
from tests.engines.files import lines, wait_for, wait_until

pytestmark = pytest.mark.servers

TARGET = "tests.engines.apart:app"


def command(*arguments, **environment):
    return {
        "args": [sys.executable, "-m", "offcanvas.engines.temporal", *arguments],
        "env": {**os.environ, "OFFCANVAS_TEST_RESULTS": "file:///tmp", **environment},
        "text": True,
    }


@contextmanager
def worker(address, *arguments):
    given = command(
        TARGET, "--processes", "2", *arguments, TEMPORAL_ADDRESS=address,
        OFFCANVAS_TEST_RESULTS=str(app.conf.result_backend),
    )  # fmt: skip
    process = subprocess.Popen(**given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        said = process.stdout.readline()
        assert f"{TARGET}: at work on " in said, said + process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(calls, canvas):
    prepared = prepare(app, canvas)
    handle = calls.wait(start_canvas(calls.client, app, prepared.plan, task_queue=calls.task_queue))
    return prepared.result, handle


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_task_in_hand_ends_first(calls, address, path, number):
    queue = f"graceful-{number}"
    with caller(address, queue) as mine:
        with worker(address, "--task-queue", queue) as process:
            result, handle = begin(mine, chain(sleeps.s(path, 3), add.si(1)))
            wait_for(path)
            process.send_signal(number)
            assert process.wait(120) == 0
            assert result.parent.state == "SUCCESS"
        # What follows is for another worker.
        with worker(address, "--task-queue", queue):
            mine.wait(finish(mine.client, handle))
    assert result.get(timeout=60) == 2


@pytest.mark.parametrize(
    "address_of",
    [
        "amqp://shop:hunter2@broker//",
        "redis://:hunter2@cache:1/0",
        "db+mysql://shop:hunter2@there/x",
    ],
)
def test_the_log_of_a_worker_has_no_passwords(calls, address, address_of):
    queue = f"quotes-{address_of.partition(':')[0]}"
    with caller(address, queue) as mine, worker(address, "--task-queue", queue) as process:
        result, handle = begin(mine, quotes.s(address_of))
        mine.wait(finish(mine.client, handle))
        assert address_of in str(result.result)  # the caller's own
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        said = process.stderr.read()
    assert "ConnectionError" in said
    assert "***@" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("how", ["twice", "grace"])
def test_a_worker_always_stops(calls, address, path, how):
    queue = f"stops-{how}"
    options = ["--grace", "1"] if how == "grace" else []
    with (
        caller(address, queue) as mine,
        worker(address, "--task-queue", queue, *options) as process,
    ):
        begin(mine, sleeps.s(path, 600))
        wait_for(path)
        process.send_signal(signal.SIGTERM)
        if how == "twice":
            process.send_signal(signal.SIGTERM)
            while process.poll() is None:
                process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 1
        assert "offcanvas: the worker has ended: its tasks were cut short" in process.stderr.read()


def test_a_worker_stops_in_the_middle_of_a_wide_chord(calls, address, path):
    members = 1_200  # more than one history takes
    told = [*map(str, range(members))]
    canvas = chord([write.si(one, path=path) for one in told], write.si("body", path=path))
    with caller(address, "wide") as mine:
        with worker(address, "--task-queue", "wide") as process:
            result, handle = begin(mine, canvas)
            wait_for(path)
            wait_until(lambda: len(lines(path)) > 50)
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
            # What the SDK says of a workflow task that has held the event loop too long.
            assert "TMPRL1101" not in process.stderr.read()
        assert 50 < len(lines(path)) < members
        with worker(address, "--task-queue", "wide"):
            mine.wait(finish(mine.client, handle))
    assert lines(path) == sorted([*told, "body"])
    assert result.successful()


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ([TARGET], {}, "nothing says where the Temporal server is: set TEMPORAL_ADDRESS"),
        (["shop"], {"TEMPORAL_ADDRESS": "127.0.0.1:1"}, "shop: name the Celery app as module:app"),
        (
            ["tests.engines.apart:add"],
            {"TEMPORAL_ADDRESS": "127.0.0.1:1"},
            "tests.engines.apart:add is the task offcanvas.testing.tasks.add, not a Celery app",
        ),
        (
            [TARGET],
            {"TEMPORAL_ADDRESS": "127.0.0.1:1"},
            "no Temporal server answers at 127",
        ),
        ([TARGET], {"TEMPORAL_CONFIG_FILE": "/nowhere"}, "TEMPORAL_CONFIG_FILE=/nowhere: there is"),
        ([TARGET], {"TEMPORAL_PROFILE": "nobody"}, "Profile 'nobody' not found"),
        (
            [TARGET],
            {"TEMPORAL_ADDRESS": "127.0.0.1:1", "OFFCANVAS_TEST_RESULTS": "rpc://"},
            "has the result backend 'rpc://'; callers and workers have to share one",
        ),
    ],
)
def test_misuse_is_one_line(arguments, environment, told):
    ran = subprocess.run(
        **command(*arguments, **environment), capture_output=True, check=False, timeout=120
    )
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr
    assert told in ran.stderr
