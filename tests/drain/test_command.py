"""`offcanvas drain` as a user calls it."""

import json
import os
import subprocess
import sys

import pytest

from tests.drain.shop import noop

MAIN = "from offcanvas.cli import main; main()"


@pytest.fixture
def drain(stage):
    def call(*words):
        command = [sys.executable, "-W", "ignore", "-c", MAIN, "drain", *words]
        return subprocess.run(
            command,
            env={**os.environ, **stage.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return call


def test_a_drained_app_and_the_order(drain):
    done = drain("-A", "tests.drain.shop", "--apart", "0.2")
    assert done.returncode == 0, done.stderr
    assert "Drained. Two looks, 0.2 s apart, have found nothing." in done.stdout
    assert done.stdout.rstrip().endswith("7. the broker, last")


def test_an_app_with_work_left(drain):
    noop.delay()
    done = drain("-A", "tests.drain.shop")
    assert done.returncode == 1
    assert done.stdout.rstrip().endswith("Not drained: ready.")


def test_json(drain):
    noop.delay()
    done = drain("-A", "tests.drain.shop", "--json", "--wait", "--timeout", "1", "--apart", "0.2")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert (told["safe"], told["waiting"]) == (False, ["ready"])
    assert told["places"]["ready"]["count"] == 1
    assert done.stderr.startswith("waiting: ready 1\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-A", "no.such.module"], "finding the app and its tasks failed"),
        (["-A", "tests.drain.shop", "--without", "moon"], "there is no place 'moon'; use ready,"),
        (["-A", "tests.drain.shop", "--timeout", "3"], "--timeout: says how long --wait waits"),
    ],
)
def test_misuse_is_one_line(drain, words, said):
    done = drain(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_broker_that_is_away_is_one_line(drain, stage, monkeypatch):
    monkeypatch.setitem(stage.environment, "DRAIN_BROKER", "redis://:secret@127.0.0.1:1/0")
    done = drain("-A", "tests.drain.shop")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "offcanvas: the broker redis://:***@127.0.0.1:1/0 cannot be asked"
    )
    assert done.stderr.count("\n") == 1
