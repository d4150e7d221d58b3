"""docs/migration.md: both apps, moved by the page's own commands."""

import json
import os
import signal
import sqlite3
import subprocess
from contextlib import ExitStack, closing

import pytest

from offcanvas.servers import redis, temporal
from tests.docs.guide import Guide, environment, running, shell

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def servers():
    with redis(tcp=True) as broker, temporal() as server:
        yield broker.url, server.url


class Move:
    """The commands of the page, in their order, in a folder with the page's files."""

    def __init__(self, stack, tmp_path, servers, part, number):
        guide = Guide("../migration")
        self.folder = tmp_path / part
        guide.write(tmp_path)
        (self.folder / "__init__.py").unlink(missing_ok=True)
        broker, server = servers
        self.env = environment(
            self.folder, BROKER=f"{broker}/{number}", RESULTS=f"{broker}/{number + 1}",
            TEMPORAL_ADDRESS=server, OFFCANVAS_TASK_QUEUE=part,
        )  # fmt: skip
        if part == "site":
            self.env["DJANGO_SETTINGS_MODULE"] = "project.settings"
        self.stack = stack

    def begin(self, line, says):
        self.stack.enter_context(running(self.folder, line, self.env, says))

    def __call__(self, line, code=0):
        ran = shell(self.folder, line, self.env, check=False)
        assert ran.returncode == code, f"{line}\n{ran.stdout}{ran.stderr}"
        return ran.stdout


def commands():
    text = Guide("../migration").text
    plain, site = text.split("## An app on Django")
    fences = [part.split("```")[0] for part in plain.split("```sh\n")[1:]]
    others = [part.split("```")[0] for part in site.split("```sh\n")[1:]]
    return (
        [line for each in fences for line in each.splitlines()],
        [line for each in others for line in each.splitlines()],
    )


def test_the_plain_app(tmp_path, servers):
    lines, _ = commands()
    with ExitStack() as stack:
        move = Move(stack, tmp_path, servers, "plain", 0)
        audit, show, *lines = lines
        move(audit, code=1)
        assert "report" in move(show)
        celery, engine, sweep, zero, half, six, plan, status, *lines = lines
        (move.folder / "log").touch()
        worker = _worker(move, celery)
        move.begin(engine, "at work")
        move(zero)
        sweeping = _background(move, sweep)
        assert move(half) == ("shop:day_end: 50 per cent, by day, go to temporal, run by the kit\n")
        assert move(six).splitlines() == [f"day {day}: 600" for day in range(6)]
        assert "shop:day_end: 50 per cent" in move(plan)
        assert _claimed(move) == 6
        assert "temporal" in move(status)
        rollback, two, hundred, lone, four, *lines = lines
        assert move(rollback) == "shop:day_end: all of it stays on Celery from now on\n"
        assert len(move(two).splitlines()) == 2
        move(hundred)
        move(lone)
        assert len(move(four).splitlines()) == 4
        schedules, create, drain, last = lines
        assert "nightly: 30 2 * * * in UTC" in move(schedules)
        assert move(create) == "beat/nightly\n"
        assert "Drained. Two looks" in move(drain)
        _end(worker)
        assert len(move(last).splitlines()) == 2
        assert _claimed(move) == 6 + 2 + 4 + 2
        _end(sweeping)


@pytest.mark.long
def test_the_app_on_django(tmp_path, servers):
    _, lines = commands()
    with ExitStack() as stack:
        move = Move(stack, tmp_path, servers, "site", 2)
        celery, engine, sweep, zero, half, six, status, hundred, drain, last, *rest = lines
        assert rest == []
        move(zero)
        worker = _worker(move, celery)
        move.begin(engine, "at work")
        sweeping = _background(move, sweep)
        move(half)
        assert move(six).splitlines() == [f"bound: book {number}" for number in range(6)]
        (root,) = json.loads(move(status))["roots"]
        assert sum(side["orders"] for side in root["sides"]) == 6
        move(hundred)
        assert "Drained. Two looks" in move(drain)
        _end(worker)
        assert len(move(last).splitlines()) == 2
        _end(sweeping)


def _claimed(move):
    with closing(sqlite3.connect(move.folder / "claims.db")) as connection:
        return connection.execute("SELECT count(*) FROM offcanvas_claims").fetchone()[0]


def _worker(move, line):
    process = _background(move, line)
    for _ in range(600):
        said = shell(move.folder, line.split(" worker")[0] + " inspect ping -t 1", move.env,
                     check=False)  # fmt: skip
        if "pong" in said.stdout:
            return process
        assert process.poll() is None, (move.folder / "log").read_text()
    raise AssertionError("the worker does not come up")


def _background(move, line):
    log = move.stack.enter_context((move.folder / "log").open("a"))
    process = subprocess.Popen(
        line.split(), cwd=move.folder, env=move.env, stdout=log, stderr=log, start_new_session=True
    )
    move.stack.callback(_end, process)
    return process


def _end(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
