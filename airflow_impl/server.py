"""`python -m airflow_impl server`: Airflow's API server and DAG processor, on loopback.

With the scheduler, which is our worker, these are the parts of `airflow standalone`. That one is
not used: what it has started goes on when it is killed, and its ports and folders are the user's.
The parts here belong to one process and end with it, also where it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import httpx
import typer

from airflow_impl import configuration
from airflow_impl.environment import program, variables
from shared.errors import UsageError
from shared.settings import masked

DEFAULT_PORT = 8080
MIGRATED = "migrated"  # a file in AIRFLOW_HOME
GRACE = 6.0  # seconds for a part to end by itself
LOOK_EVERY = 0.2
_ERROR = re.compile(r"\w(Error|Exception)\b.*: ")  # a line that names one, with its words
_PR_SET_PDEATHSIG = 1  # prctl(2)

PARTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
}


def run_server(port: int, home: Path | None, database: str | None) -> None:
    """Serve in the foreground until SIGTERM or Ctrl-C.

    Args:
        port: of the loopback interface.
        home: AIRFLOW_HOME; one that has been used goes on where it was. None: a private folder,
            removed at the end.
        database: SQLAlchemy's address of the metadata database; None: SQLite in `home`.

    Raises:
        UsageError: no environment, the port is taken, or the folder belongs to another server.
    """
    airflow = program()
    _check_port(port)
    with _stopping() as stop, ExitStack() as stack:
        folder = stack.enter_context(_private_home()) if home is None else home.absolute()
        new = _prepare(folder, port, database)
        environment = variables({"AIRFLOW_HOME": str(folder)})
        try:
            _migrate(airflow, environment, folder, stop)
        except UsageError:
            if new:  # the address in it is wrong: the next start is to write another
                shutil.rmtree(folder)
            raise
        parts = {
            name: stack.enter_context(_part([str(airflow), *words], environment))
            for name, words in PARTS.items()
            if not stop.is_set()
        }
        url = f"http://127.0.0.1:{port}"
        # Whoever reads these lines goes on at once, and what asks the server wants an answer.
        _watch(parts, stop, until=lambda: _answers(url))
        if not stop.is_set():
            typer.echo(f"export AIRFLOW_HOME={folder}")
            typer.echo(f"export AIRFLOW_API_URL={url}")
            sys.stdout.flush()
        _watch(parts, stop)
        for process in parts.values():
            process.terminate()  # all at once; each is waited for when its block ends


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"port {port} of 127.0.0.1 cannot be used ({reason}): name another one, --port N"
            ) from None


@contextmanager
def _private_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="oc-airflow-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(home: Path, port: int, database: str | None) -> bool:
    """Write `airflow.cfg`, unless this server has been here before; returns whether it is new."""
    path = home / "airflow.cfg"
    if not path.exists():
        if home.exists() and any(home.iterdir()):
            raise UsageError(f"--home {home} has files in it and no airflow.cfg: name a new folder")
        configuration.write(home, port, database or f"sqlite:///{home / 'airflow.db'}")
        return True
    before = configuration.read(home, "api", "port")
    if before != str(port):
        raise UsageError(
            f"--home {home} belongs to a server on port {before}: use --port {before}, or a new "
            "folder"
        )
    return False


def _migrate(airflow: Path, environment: dict[str, str], home: Path, stop: threading.Event) -> None:
    """Create Airflow's tables, once a folder.

    Raises:
        UsageError: they cannot be created; with the last line that Airflow has said.
    """
    if (home / MIGRATED).exists() or stop.is_set():
        return
    said = home / "migrate.log"
    with (
        said.open("wb") as log,
        _part([str(airflow), "db", "migrate"], environment, log) as process,
    ):
        while process.poll() is None and not stop.wait(LOOK_EVERY):
            pass
        status = process.poll()
    if status:
        lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line]
        errors = [line for line in lines if _ERROR.search(line)]
        last = (errors or lines or [f"nothing, and ends with status {status}"])[-1]
        address = configuration.read(home, "database", "sql_alchemy_conn")
        raise UsageError(
            f"Airflow's tables cannot be created in {masked(address)}: correct --database; Airflow "
            f"says: {masked(last)}"
        )
    if not stop.is_set():
        (home / MIGRATED).touch()


@contextmanager
def _part(
    command: Sequence[str], environment: dict[str, str], output: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of Airflow's in a process group of its own, which ends with the block."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - nothing else runs in this process
    )
    try:
        yield process
    finally:
        _end(process)


def _end_with_parent() -> None:
    """In the child: have Linux send SIGTERM when the parent is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the part, then SIGKILL to what is left of its group: its children outlive it."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()
    before = {
        each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _answers(url: str) -> bool:
    try:
        with httpx.Client(trust_env=False, timeout=5) as client:
            return client.get(f"{url}/api/v2/monitor/health").is_success
    except httpx.HTTPError:
        return False


def _watch(
    parts: dict[str, subprocess.Popen[bytes]],
    stop: threading.Event,
    until: Callable[[], bool] | None = None,
) -> None:
    """Wait, for the end or until something is so; a part that ends by itself ends the server."""
    while not stop.wait(LOOK_EVERY) and not (until and until()):
        for name, process in parts.items():
            if process.poll() is not None:
                typer.echo(f"Airflow's {name} has ended with status {process.returncode}", err=True)
                raise typer.Exit(1)
