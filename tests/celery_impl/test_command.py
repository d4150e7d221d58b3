"""The command line: one clear line and the right exit status."""

import re
import socket

import pytest

from celery_impl.__main__ import _explain, app
from celery_impl.app import connect
from celery_impl.client import Client
from celery_impl.health import load
from celery_impl.tasks import generate_roll
from offcanvas.servers import redis
from shared import steps
from shared.cli import run
from shared.errors import UsageError
from tests.celery_impl.places import Place, addresses

pytestmark = pytest.mark.servers


def call(*args: str) -> int:
    with pytest.raises(SystemExit) as stop:
        run(app, "python -m celery_impl", list(args), _explain)
    return int(str(stop.value.code))


def test_start_and_wait(work: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("start", "chord_by_station", "--run-id", "by-hand", "--wait") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("run by-hand: celery execution ")
    assert out[1] == "total: 15"


def test_health_of_what_is_well(
    work: Place, capsys: pytest.CaptureFixture[str], eventually
) -> None:
    # The last task of the test before has told its result, and goes on.
    eventually(lambda: not (found := load(connect())).queued and not found.active)
    assert call("health") == 0
    out = capsys.readouterr().out
    assert "celery: reachable, broker redis+socket://" in out
    assert "workers: voter-rolls-" in out
    assert "queued: 0, running: 0\nstuck: none\n" in out


def test_without_a_worker_it_is_neither_healthy_nor_safe_to_deploy(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    with redis() as server, addresses(tmp_path, server.environment):
        assert call("drain") == 0
        assert capsys.readouterr().out.endswith("safe to deploy\n")
        assert call("start", "noop:3", "--run-id", "waits") == 0
        assert call("health") == 1
        assert call("drain") == 1
        out = capsys.readouterr().out
    assert "workers: NONE\nqueued: 3, running: 0\n" in out
    assert "queued: 3\nunacknowledged: 0\n" in out
    assert "open chords: 1\n" in out
    assert out.endswith("NOT safe to deploy: let the workers go on\n")


def test_a_dead_broker_is_not_healthy(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = "redis+socket:///nowhere/s"
    found = {"CELERY_BROKER_URL": nowhere, "CELERY_RESULT_BACKEND": nowhere}
    with addresses(tmp_path, found):
        assert call("health") == 1
    out = capsys.readouterr().out
    assert out.startswith(f"celery: NOT REACHABLE, CELERY_BROKER_URL={nowhere} does not answer")
    assert "queued: unknown, running: unknown" in out


@pytest.mark.usefixtures("work")
def test_drain_counts_what_a_worker_holds_back(
    capsys: pytest.CaptureFixture[str], eventually
) -> None:
    steps.begin_run("later", "group", "celery")
    generate_roll.si("later", "A-1").apply_async(countdown=600)
    codes = []

    def scheduled() -> bool:
        codes.append(call("drain"))
        return (
            "unacknowledged: 1\nrunning: 0, reserved: 0, scheduled: 1\n" in capsys.readouterr().out
        )

    eventually(scheduled)
    assert codes[-1] == 1


@pytest.mark.parametrize(
    ("broker", "command", "says"),
    [
        (None, "health", "CELERY_BROKER_URL is not set"),
        ("redis+socket:///nowhere/s", "drain", "CELERY_BROKER_URL=redis+socket:///nowhere/s"),
        ("carrier-pigeon://loft", "drain", "CELERY_BROKER_URL=carrier-pigeon://loft"),
        ("redis+socket:///nowhere/s", "start noop:2", "CELERY_BROKER_URL=redis+socket:///nowhere"),
        ("redis+socket:///nowhere/s", "worker", "CELERY_BROKER_URL=redis+socket:///nowhere"),
        ("memory://", "start noop:2", "CELERY_RESULT_BACKEND=redis+socket:///nowhere/s"),
    ],
)
def test_a_broker_that_is_not_there_is_one_line(
    tmp_path, capsys: pytest.CaptureFixture[str], broker: str | None, command: str, says: str
) -> None:
    names = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    found = {name: broker for name in names if broker}
    if broker == "memory://":
        found["CELERY_RESULT_BACKEND"] = "redis+socket:///nowhere/s"
    with addresses(tmp_path, found):
        assert call(*command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"python -m celery_impl: {says}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("broker", "backend", "says"),
    [
        (
            "redis://localhost:port/0",
            "cache+memory://",
            "CELERY_BROKER_URL=redis://localhost:port/0: ",
        ),
        ("memory://", "nonsense://x", "CELERY_RESULT_BACKEND=nonsense://x: No module named"),
        ("memory://", "db+nonsense://x", "CELERY_RESULT_BACKEND=db+nonsense://x: Can't load"),
        ("memory://", "redis://localhost:1/x", "CELERY_RESULT_BACKEND=redis://localhost:1/x: "),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line(
    tmp_path, capsys: pytest.CaptureFixture[str], broker: str, backend: str, says: str
) -> None:
    with addresses(tmp_path, {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": backend}):
        assert call("start", "noop:2") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"python -m celery_impl: {says}")
    assert err.count("\n") == 1


def test_a_redis_that_says_nothing_is_given_up(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("celery_impl.reach._ANSWERS_WITHIN", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        found = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
        with addresses(tmp_path, found):
            assert call("start", "noop:2") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"python -m celery_impl: CELERY_BROKER_URL={broker} does not answer")
    assert err.count("\n") == 1


def test_whoever_waits_for_a_worker_is_told_of_a_broker_that_cannot_be_used(tmp_path) -> None:
    nowhere = "redis+socket:///nowhere/s"
    found = {"CELERY_BROKER_URL": "carrier-pigeon://loft", "CELERY_RESULT_BACKEND": nowhere}
    with addresses(tmp_path, found), pytest.raises(UsageError, match="carrier-pigeon"):
        Client().wait_for_worker(60)


@pytest.mark.services
def test_a_login_that_is_refused_is_one_line(
    tmp_path, capsys: pytest.CaptureFixture[str], rabbitmq_url: str
) -> None:
    broker = re.sub(r"//[^@]*@", "//nobody:secret@", rabbitmq_url)
    nowhere = "redis+socket:///nowhere/s"
    with addresses(tmp_path, {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": nowhere}):
        assert call("start", "noop:2") == 2
    err = capsys.readouterr().err
    assert err.startswith("python -m celery_impl: CELERY_BROKER_URL=amqp://nobody:***@")
    assert "ACCESS_REFUSED" in err
    assert err.count("\n") == 1
