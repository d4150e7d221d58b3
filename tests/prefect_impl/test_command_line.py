"""`python -m prefect_impl`, as a person uses it."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from offcanvas.servers.base import free_port
from prefect_impl.connection import connect
from shared.errors import UsageError
from shared.settings import settings
from tests.prefect_impl.stack import ROOT, Stack


def _run(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prefect_impl", *args],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_without_an_address_it_says_what_to_do(sqlite_database: str) -> None:
    done = _run("worker", PREFECT_API_URL="", DATABASE_URL=sqlite_database)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("python -m prefect_impl: PREFECT_API_URL is not set: ")
    assert done.stderr.count("\n") == 1


def test_a_server_that_does_not_answer_is_one_line(sqlite_database: str) -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    done = _run("start", "chain", PREFECT_API_URL=url, DATABASE_URL=sqlite_database)
    assert done.returncode == 2
    assert f"cannot reach the Prefect server at PREFECT_API_URL={url}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_something_else_that_answers_there_is_one_line(sqlite_database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=hang_up)
        thread.start()
        done = _run("worker", PREFECT_API_URL=url, DATABASE_URL=sqlite_database)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert done.returncode == 2
    assert f"cannot reach the Prefect server at PREFECT_API_URL={url}" in done.stderr
    assert done.stderr.count("\n") == 1


class _Answers(BaseHTTPRequestHandler):
    """Says the same to everybody."""

    said = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("command", "said"),
    [("start chain", "2.20.4"), ("worker", "<html>"), ("sweep --once", "4.0.0")],
)
def test_a_server_of_another_version_or_kind_is_one_line(
    command: str, said: str, sqlite_database: str
) -> None:
    kind = type("Kind", (_Answers,), {"said": f'"{said}"'.encode()})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        done = _run(*command.split(), PREFECT_API_URL=url, DATABASE_URL=sqlite_database)
        server.shutdown()
        thread.join()
    assert (done.returncode, done.stdout) == (2, "")
    assert f"PREFECT_API_URL={url} says {said!r} where" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["localhost:4200/api", "http://a..b/api", "http://host:port/api"])
def test_an_address_that_is_none_is_told_how_to_write_one(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    settings.cache_clear()
    with pytest.raises(
        UsageError, match=rf"^PREFECT_API_URL='{url}' is not an address: use http://"
    ):
        connect()


@pytest.mark.servers
def test_an_address_that_is_not_the_api_is_one_line(stack: Stack) -> None:
    assert stack.url.endswith("/api")
    done = _run("health", PREFECT_API_URL=stack.url.removesuffix("/api"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "NOT REACHABLE" in done.stdout
    done = _run("start", "chain", PREFECT_API_URL=stack.url.removesuffix("/api"))
    assert done.returncode == 2
    assert "name the API of a Prefect 3 server" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_variant_that_does_not_exist_is_one_line(sqlite_database: str) -> None:
    done = _run(
        "start", "nonsense", PREFECT_API_URL="http://127.0.0.1:1/api", DATABASE_URL=sqlite_database
    )
    assert done.returncode == 2
    assert "no variant 'nonsense': choose one of all_in_one, " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.servers
@pytest.mark.usefixtures("stack")
def test_start_and_wait() -> None:
    done = _run("start", "noop:3", "--run-id", "by-hand", "--wait")
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first.startswith("run by-hand: prefect execution ")
    assert last == "total: 3"


@pytest.mark.servers
@pytest.mark.usefixtures("stack")
def test_the_error_of_a_run_is_one_line_and_status_1() -> None:
    done = _run("start", "error_in_header", "--run-id", "by-hand-objected", "--wait")
    assert done.returncode == 1
    assert done.stderr.startswith("RollUnderObjection: station ")
    assert done.stderr.count("\n") == 1
