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
@pytest.mark.parametrize(
    ("place", "engine"),
    [
        ("l" * 100, "temporal"),
        ("l" * 200, "celery"),
        ("with blank and ümläut", "celery"),
        ("a file", "memory"),
        ("none/such", "memory"),
    ],
)
def test_wherever_temporary_files_are(offcanvas, environment, tmp_path, place, engine):
    there = tmp_path / place
    if place == "a file":
        there.touch()
    elif place != "none/such":
        there.mkdir()
    environment["TMPDIR"] = str(there)
    del environment["TEMPORAL_ADDRESS"]
    ran = offcanvas("run", "tests.check.shop:report", "--arg", "width=3", "--on", engine)
    assert (ran.returncode, ran.stdout) == (0, "6\n"), ran.stderr


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
    assert list((tmp_path / "tmp").iterdir()) == []  # of multiprocessing and uv neither
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in running.stdout


@pytest.mark.servers
@pytest.mark.parametrize(
    "engine", ["memory", "celery", "temporal", pytest.param("prefect", marks=pytest.mark.long)]
)
def test_what_tasks_print_reaches_the_user_however_much_it_is(engine, tmp_path, environment):
    (tmp_path / "mine.py").write_text(
        "from celery import Celery, group\n"
        "print('imported')\n"
        "app = Celery('mine')\n"
        "@app.task\n"
        "def loud(size): print('x' * size)\n"
        "def canvas(): return group(loud.s(30_000) for _ in range(9))\n"
    )
    for name in ELSEWHERE:
        environment.pop(name)
    ran = subprocess.run(
        [*COMMAND, "run", "mine:canvas", "--on", engine],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, f"[{', '.join(['null'] * 9)}]")
    assert ran.stderr.count("x") >= 270_000


BAD_OPTIONS = (
    "from datetime import timedelta\n"
    "from celery import Celery, chain, group\n"
    "app = Celery('mine')\n"
    "app.conf.update(task_queues=[], task_create_missing_queues=False)\n"
    "@app.task\n"
    "def one(*args): return 1\n"
    "def bad(**options): return one.s() | one.s().set(**options)\n"
    "def timed(): return bad(expires=timedelta(seconds=5))\n"
    "def called(): return one.apply_async(countdown=timedelta(seconds=5))\n"
    "def same_id(): return group(one.s().set(task_id='a'), one.s().set(task_id='a'))\n"
)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mine:timed"], "canvas[1].expires: Celery takes no timedelta here; give seconds, 5"),
        (["mine:called"], "countdown: Celery takes no timedelta here; give seconds, 5"),
        (["mine:bad", "--arg", "expires='soon'"], "chain[1]: mine.one cannot be sent: expires='so"),
        (["mine:bad", "--arg", "eta='soon'"], "eta='soon' is not an ISO 8601 time"),
        (["mine:bad", "--arg", "eta=5"], "eta=5 is not a time that Celery takes there"),
        (["mine:bad", "--arg", "countdown='5'"], "countdown='5' is not a number of seconds"),
        (["mine:bad", "--arg", "time_limit='5'"], "time_limit='5' is not a number of seconds"),
        (["mine:bad", "--arg", "queue=gone"], "QueueNotFound"),
        (["mine:bad", "--arg", "serializer=gone"], "SerializerNotInstalled"),
        (["mine:bad", "--arg", "compression=gone"], "compression='gone' is registered nowhere"),
        (["mine:same_id"], "group[0] and group[1] have the same task_id 'a'"),
        (["mine:bad", "--arg", "queue=a", "--arg", "queue=b"], "queue is given twice"),
        (["mine:bad", "--arg", "x=true"], "--arg x=true: Python writes True; for the text write"),
        (["mine:bad", "--arg", "x=null"], "--arg x=null: Python writes None"),
        (["mine:bad", "--arg", "x=[a"], "begins like a Python literal and is none"),
        (["mine:one", "--timeout", "5", "--timeout", "6"], "--timeout is given more than once"),
        (["-A", "mine", "-A", "mine", "mine:one"], "--app/-A is given more than once"),
        (["-A", "mine:one", "mine:one"], "-A mine:one is the task mine.one, not a Celery app"),
        (["-A", "mine:bad", "mine:one"], "-A mine:bad is of type function, not a Celery app"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_what_celery_would_not_send_is_one_line(command, arguments, says, offcanvas, tmp_path):
    (tmp_path / "mine.py").write_text(BAD_OPTIONS)
    ran = offcanvas(command, *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr
    assert says in ran.stderr
    assert list((tmp_path / "tmp").glob("*")) == []


def test_celery_is_not_compared_with_itself(offcanvas):
    ran = offcanvas("check", "tests.check.shop:report", "--on", "celery")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "--on celery: it is what engines are compared with" in ran.stderr


def test_run_has_one_engine(offcanvas):
    ran = offcanvas("run", "tests.check.shop:report", "--on", "memory", "--on", "celery")
    assert (ran.returncode, ran.stderr) == (2, "offcanvas: --on is given more than once\n")


@pytest.mark.servers
def test_a_canvas_too_large_for_one_engine_is_compared_on_the_others(offcanvas, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import secrets\n"
        "from celery import Celery\n"
        "app = Celery('mine')\n"
        "@app.task\n"
        "def length(text): return len(text)\n"
        "def big(): return length.s(secrets.token_hex(3_000_000))\n"
    )
    ran = offcanvas("check", "mine:big", "--on", "memory", "--on", "temporal")
    assert ran.returncode == 1, ran.stderr
    first, second, third = ran.stdout.splitlines()
    assert first.startswith("celery    returns 6000000")
    assert second == "memory    same"
    assert third.startswith("temporal  refused: the canvas comes to ")


SENDS = (
    "from celery import Celery, Task, chain\n"
    "app = Celery('mine')\n"
    "class Raising(Task):\n"
    "    def apply_async(self, *args, **options): raise ValueError('no credit')\n"
    "class Waiting(Task):\n"
    "    def apply_async(self, *args, **options):\n"
    "        one.delay().get()\n"
    "        return super().apply_async(*args, **options)\n"
    "@app.task\n"
    "def one(*args): return 1\n"
    "@app.task(base=Raising)\n"
    "def refused(): return 1\n"
    "@app.task(base=Waiting)\n"
    "def waits(*args): return 2\n"
    "def first(): return chain(refused.s(), one.s())\n"
)


@pytest.mark.parametrize("target", ["mine:refused", "mine:first"])
def test_a_class_that_refuses_to_send_its_task_is_one_line(target, offcanvas, tmp_path):
    (tmp_path / "mine.py").write_text(SENDS)
    for words in (["run"], ["preflight", "--to", "temporal"]):
        ran = offcanvas(*words, target)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr == "offcanvas: the app's apply_async raises: ValueError: no credit\n"


@pytest.mark.servers
def test_what_an_engine_refuses_while_it_is_sent_is_a_verdict(offcanvas, tmp_path):
    (tmp_path / "mine.py").write_text(SENDS)
    ran = offcanvas("check", "mine:waits", "--on", "memory")
    assert ran.returncode == 1, ran.stderr
    assert "celery  returns 2" in ran.stdout
    assert "memory  refused: the app's apply_async raises: RuntimeError" in ran.stdout


@pytest.mark.parametrize("text", ["raise RuntimeError", "return 3", "return 'two\\nlines'"])
def test_an_error_is_one_line_whatever_its_text(text, offcanvas, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from celery import Celery\n"
        "app = Celery('mine')\n"
        "class Odd(Exception):\n"
        f"    def __str__(self): {text}\n"
        "@app.task\n"
        "def odd(): raise Odd('a', 1)\n"
    )
    ran = offcanvas("run", "mine:odd")
    told = "Odd: two lines\n" if "two" in text else "Odd('a', 1)\n"
    assert (ran.returncode, ran.stdout, ran.stderr.splitlines()[-1] + "\n") == (1, "", told)


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
