"""``offcanvas run`` and ``offcanvas check`` as somebody types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from offcanvas.cli import main; main()"]
#: Where somebody's own servers would be; nothing of a private run may go there.
ELSEWHERE = {
    "CELERY_BROKER_URL": "redis://127.0.0.1:1",
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1",
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
    "PREFECT_API_URL": "http://127.0.0.1:1/api",
}


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "tmp").mkdir()
    return {
        **os.environ,
        **ELSEWHERE,
        "PYTHONPATH": str(Path.cwd()),
        "TMPDIR": str(tmp_path / "tmp"),
        "COLUMNS": "200",
    }


@pytest.fixture
def offcanvas(tmp_path, environment):
    def run(*arguments):
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


@pytest.mark.servers
def test_the_same_on_engines(offcanvas, tmp_path):
    target = ["tests.check.shop:report", "--arg", "width=3", "--on", "memory", "--on", "temporal"]
    ran = offcanvas("check", *target, "--format", "json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["same"] is True
    assert told["celery"]["answers"] == ["returns 6"]
    assert told["celery"]["ran"]["tests.check.shop.flaky(2) retry 1"] == 1
    assert {name: one["verdict"] for name, one in told["engines"].items()} == {
        "memory": "same",
        "temporal": "same",
    }
    assert "once on each of: celery, memory" in ran.stderr
    assert list((tmp_path / "tmp").glob("oc-*")) == []


@pytest.mark.servers
def test_failures_and_error_callbacks_are_compared(offcanvas):
    ran = offcanvas("check", "tests.check.shop:failing", "--on", "memory")
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert first.startswith("celery  raises TypeError(")
    assert first.endswith("2 task runs, 1 error callback")
    assert second == "memory  same"


@pytest.mark.servers
def test_a_worker_process_that_is_killed_is_compared(offcanvas):
    ran = offcanvas("check", "tests.check.shop:dies", "--on", "temporal")
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert "'Worker exited prematurely: signal 9 (SIGKILL).'" in first
    assert second == "temporal  same"


@pytest.mark.servers
def test_what_differs_is_said_with_its_reason(offcanvas):
    ran = offcanvas("check", "tests.check.shop:reversed_by_celery", "--on", "memory")
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    lines = [line.strip() for line in ran.stdout.splitlines()]
    assert "answer: get() returns [2, 4, 6]; on Celery it returns [2, 6, 4]" in lines
    assert "tasks: tests.check.shop.listed([2, 4, 6]) ran once; on Celery never" in lines
    assert lines[-1].endswith("keeps its order; Celery reverses it")


@pytest.mark.servers
def test_tasks_that_never_do_the_same_are_no_difference_of_engines(offcanvas):
    ran = offcanvas("check", "tests.check.shop:now", "--on", "memory")
    assert ran.returncode == 1
    assert "memory  cannot tell: two runs on Celery itself differ" in ran.stdout


@pytest.mark.servers
def test_an_app_that_accepts_pickle_is_checked_also_as_root(offcanvas, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from celery import Celery\n"
        "app = Celery('mine')\n"
        "app.conf.accept_content = ['json', 'pickle']\n"
        "@app.task\n"
        "def double(number): return 2 * number\n"
    )
    ran = offcanvas("check", "mine:double", "--arg", "2", "--on", "memory")
    assert (ran.returncode, ran.stdout) == (0, "celery  returns 4, 1 task run\nmemory  same\n")


@pytest.mark.servers
def test_moments_that_tasks_pass_on_are_left_out(offcanvas):
    ran = offcanvas("check", "tests.check.shop:with_moments", "--on", "memory")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines() == ['celery  returns "seal", 2 task runs', "memory  same"]


@pytest.mark.servers
@pytest.mark.parametrize("task", ["sleeps", "sleeps_elsewhere"])
def test_ctrl_c_leaves_nothing_behind(task, tmp_path, environment):
    begun = tmp_path / "begun"
    target = [f"tests.check.shop:{task}", "--arg", str(begun), "--on", "temporal"]
    process = subprocess.Popen(
        [*COMMAND, "check", *target, "--timeout", "500"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts programs in the background with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  # there are no threads here
    )
    deadline = time.monotonic() + 600
    while not begun.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=600)
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-1] == "offcanvas: stopped; its servers and workers are gone"
    assert "Traceback" not in errors
    assert list((tmp_path / "tmp").glob("oc-*")) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in running.stdout


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no.such:thing"], "importing no.such failed with ModuleNotFoundError"),
        (["tests.check.shop:app"], "is a Celery, neither a canvas nor"),
        (["tests.check.shop:unregistered"], "the app shop has no task 'shop.gone'; import the"),
        (["tests.check.shop:not_json"], "JSON"),
        (["tests.check.shop:double"], "the arguments do not fit: double() missing 1 required"),
        (["tests.check.shop:report", "--on", "hatchet"], "no engine is called 'hatchet'; there"),
        (["tests.check.shop:pickled", "--on", "memory"], "memory cannot run this canvas"),
    ],
)
def test_misuse_is_one_line_and_nothing_is_started(command, arguments, says, offcanvas, tmp_path):
    ran = offcanvas(command, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("offcanvas: ")
    assert ran.stderr.count("\n") == 1
    assert says in ran.stderr
    assert list((tmp_path / "tmp").glob("*")) == []


def test_a_value_is_printed_as_json_and_nothing_else(offcanvas):
    ran = offcanvas("run", "tests.check.shop:report", "--arg", "3")
    assert (ran.returncode, ran.stdout) == (0, "6\n")
    assert "doubling 2" in ran.stderr


def test_an_error_is_one_line(offcanvas):
    ran = offcanvas("run", "tests.check.shop:failing")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1].startswith("TypeError: unsupported operand")


def test_a_shared_task_belongs_to_the_current_app(offcanvas):
    ran = offcanvas("run", "tests.check.shop:shared")
    assert (ran.returncode, ran.stdout) == (0, "1\n")


@pytest.mark.servers
def test_an_engine_that_is_down_is_one_line(offcanvas):
    ran = offcanvas("run", "tests.check.shop:report", "--on", "temporal")
    assert (ran.returncode, ran.stdout) == (2, "")
    says = "offcanvas: no Temporal server answers at 127.0.0.1:1 (Connection refused); start one"
    assert says in ran.stderr.splitlines()[-1]
