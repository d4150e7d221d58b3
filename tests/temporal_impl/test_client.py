"""The caller's side: what goes wrong, and what the records say."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from offcanvas.servers.base import free_port
from shared.cli import run
from shared.errors import UsageError
from shared.settings import settings
from temporal_impl.__main__ import app
from temporal_impl.client import Client
from temporal_impl.connection import connect
from tests.temporal_impl.stage import STATIONS, Stage

pytestmark = pytest.mark.servers


def test_waiting_too_short_is_a_timeout(client: Client) -> None:
    execution = client.start("fib33:6", "slow")
    with pytest.raises(TimeoutError, match=r"fib33:6/slow has not ended after 0\.01 s"):
        client.wait(execution, 0.01)
    assert client.wait(execution, 300).total_pages == 6


def test_an_unknown_variant_is_refused_before_anything_is_written(client: Client) -> None:
    with pytest.raises(UsageError, match="no variant 'chord': choose one of all_in_one, "):
        client.start("chord", "nothing")


def test_spans_follow_children_and_name_item_worker_and_times(client: Client) -> None:
    execution = client.start("parallel_with_join", "spans")
    client.wait(execution, 300)
    spans = client.spans(execution)
    assert [span.task for span in spans] == ["assign_all", *["generate_roll"] * 4, "sum_pages"]
    assert sorted(span.item for span in spans[1:-1]) == sorted(STATIONS)
    for span in spans:
        assert span.queued_at is not None
        assert span.queued_at <= span.started_at <= span.finished_at
        assert span.attempt == 1
    lanes = {span.worker.rpartition("#") for span in spans}
    assert {lane for _, _, lane in lanes} <= {"1", "2"}
    assert len({worker for worker, _, _ in lanes}) == 1


@pytest.fixture
def nobody_there(server: Stage, monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    settings.cache_clear()
    return address


def test_a_server_that_does_not_answer_is_unhealthy(nobody_there: str) -> None:
    client = Client()
    try:
        health = client.health()
    finally:
        client.close()
    assert not health.reachable
    assert not health.healthy
    assert nobody_there in health.detail


@pytest.mark.parametrize(("variable", "value"), [("TEMPORAL_ADDRESS", ""), ("CONCURRENCY", "many")])
def test_health_under_settings_that_cannot_work_is_one_line_and_exit_2(
    variable: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        run(app, "python -m temporal_impl", ["health"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, len(err.splitlines())) == (2, "", 1)
    assert variable in err


@pytest.mark.parametrize("command", ["start noop:1", "worker --concurrency 1", "sweep --once"])
def test_a_server_that_does_not_answer_is_one_line_and_exit_2(
    nobody_there: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(app, "python -m temporal_impl", command.split())
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert f"TEMPORAL_ADDRESS={nobody_there}: no Temporal server answers there" in told


@pytest.mark.parametrize(
    "address", ["nonsense", "http://localhost:7233", "localhost:", ":7233", "localhost:99999"]
)
def test_an_address_that_is_none_is_told_how_to_write_one(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    with pytest.raises(UsageError, match=f"TEMPORAL_ADDRESS={address}: use host:port"):
        asyncio.run(connect())


@contextmanager
def _listening(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of something that is no Temporal server; `serve` is given each connection."""

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("serve", "said"),
    [
        (lambda _: None, "it hangs up|reset"),
        (lambda there: there.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not speak gRPC"),
        (lambda there: there.sendall(b"-ERR unknown command 'PRI'\r\n"), "not speak gRPC"),
        (lambda there: [there.recv(99), there.recv(99)], "timed out"),
    ],
    ids=["hangs up", "HTTP", "Redis", "says nothing"],
)
def test_what_is_no_temporal_server_is_found_out_before_the_sdk_meets_it(
    serve: Callable[[socket.socket], object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("temporal_impl.connection._ANSWERS_WITHIN", 1)
    monkeypatch.setattr("temporal_impl.connection.Client", None)
    with _listening(serve) as address:
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        settings.cache_clear()
        with pytest.raises(UsageError, match=rf"={address}: no Temporal .*({said})"):
            asyncio.run(connect())


def test_a_host_that_cannot_be_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "a..b:7233")
    with pytest.raises(UsageError, match=r"TEMPORAL_ADDRESS=a\.\.b:7233: .*no host can have"):
        asyncio.run(connect())


def test_an_unknown_namespace_is_named(server: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "elsewhere")
    settings.cache_clear()
    with pytest.raises(UsageError, match=r"NAMESPACE=elsewhere: the server at .* has no"):
        asyncio.run(connect())


#: ``python -m temporal_impl``, which says so if the interpreter takes itself apart at the end.
TAKEN_APART = """
import atexit, runpy, sys
atexit.register(print, "taken apart")
sys.argv = ["temporal_impl", *sys.argv[1:]]
runpy.run_module("temporal_impl", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("command", ["start chain", "worker --concurrency 1", "sweep --once"])
def test_commands_with_an_unknown_namespace_end_in_one_line(server: Stage, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_APART, *command.split()],
        env={**os.environ, "TEMPORAL_NAMESPACE": "elsewhere"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "has no such namespace" in done.stderr
    # In the midst of which the SDK's core can abort it, as its connection ends.
    assert "taken apart" not in done.stdout


def test_no_worker_is_a_timeout(server: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temporal_impl.client.TASK_QUEUE", "nobody-listens")
    with pytest.raises(TimeoutError, match="no Temporal worker took work from nobody-listens"):
        server.client.wait_for_worker(1)
