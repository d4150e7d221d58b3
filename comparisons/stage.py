"""Everything a comparison needs around it, and the way back to nothing.

One folder below the system's temporary folder holds all that is made: the database, the rolls,
the servers' data, the logs, and whatever a library puts into TMPDIR. It goes at the end, whatever
the end is.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from offcanvas.meter import tree
from offcanvas.servers.base import leashed, stop_process_group
from shared.database import create_tables, make_engine
from shared.errors import UsageError
from shared.settings import load_settings, settings

LONG_PATH = 55
ROOT = Path(__file__).resolve().parents[1]


class WorkerError(RuntimeError):
    """A worker ended or never took work; the message ends with the last lines of its log."""


@dataclass
class Worker:
    """A worker process of an engine."""

    engine: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, engine: str, command: list[str], folder: Path) -> Worker:
        """Start it in the repository's root, in a session of its own: Ctrl-C is ours to handle."""
        log = folder / f"{engine}-worker.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                leashed(command),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(engine, process, log)

    def check(self) -> None:
        """See that it is alive.

        Raises:
            WorkerError: it has ended.
        """
        status = self.process.poll()
        if status is not None:
            raise self.error(f"ended with status {status}")

    def error(self, what: str) -> WorkerError:
        """The error with the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-12:]
        tail = "\n".join(f"  {line}" for line in lines) or "  (empty log)"
        return WorkerError(f"the worker of {self.engine} {what}:\n{tail}")

    def stop(self) -> None:
        """End it and all it has started, also what has left its process group."""
        family = tree([self.process.pid])
        stop_process_group(self.process)
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=5)


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Turn the first SIGINT into KeyboardInterrupt and the first SIGTERM into exit status 143.

    Further ones are ignored until the end of the block, so that tidying up is not cut short.
    """

    def interrupted(number: int, _frame: FrameType | None) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, interrupted) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that everything temporary goes into, here and in child processes."""
    outer, outer_variable = tempfile.tempdir, os.environ.get("TMPDIR")
    folder = Path(tempfile.mkdtemp(prefix="oc-", dir=_short_folder()))
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = outer
        if outer_variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = outer_variable
        _remove(folder)


def _short_folder() -> str:
    """The temporary folder, or /tmp where its path is long: the path of a Unix socket, which
    servers and multiprocessing put some folders further down, may have 107 bytes at most.
    """
    usual = tempfile.gettempdir()
    short = Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it
    if len(usual) > LONG_PATH and os.access(short, os.W_OK | os.X_OK):
        return str(short)
    return usual


def _remove(folder: Path) -> None:
    """Remove it, although a process that is just ending may still write into it."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    shutil.rmtree(folder)


def set_environment(variables: Mapping[str, str]) -> None:
    """Make these settings hold here and in the processes started from now on."""
    os.environ.update(variables)
    settings.cache_clear()


@contextmanager
def private_database(folder: Path) -> Iterator[str]:
    """An empty database with our tables; yields its address.

    A new SQLite file; or, where DATABASE_URL names PostgreSQL, a schema of our own in it, dropped
    at the end. What is there already is neither read nor changed.
    """
    named = load_settings().database_url
    if named is None or named.startswith("sqlite"):
        url, drop = f"sqlite:///{folder / 'voters.db'}", _nothing
    else:
        url, drop = _private_schema(named)
    set_environment({"DATABASE_URL": url})
    try:
        create_tables()
        yield url
    finally:
        drop()


def _nothing() -> None:
    """A file goes with its folder."""


def _private_schema(address: str) -> tuple[str, Callable[[], None]]:
    engine = make_engine(address)
    schema = f"comparison_{secrets.token_hex(4)}"
    _execute(engine, f"CREATE SCHEMA {schema}")

    def drop() -> None:
        _execute(engine, f"DROP SCHEMA {schema} CASCADE")
        engine.dispose()

    url = make_url(address).update_query_dict({"options": f"-csearch_path={schema}"})
    return url.render_as_string(hide_password=False), drop


def _execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def check_database() -> None:
    """See that a PostgreSQL named by DATABASE_URL answers and lets us make a schema.

    Raises:
        UsageError: it does not let us.
        sqlalchemy.exc.OperationalError: it does not answer.
    """
    named = load_settings().database_url
    if named is None or named.startswith("sqlite"):
        return
    engine = make_engine(named)
    try:
        with engine.connect() as connection:
            allowed = connection.exec_driver_sql(
                "SELECT has_database_privilege(current_database(), 'CREATE')"
            ).scalar_one()
    finally:
        engine.dispose()
    if not allowed:
        raise UsageError(
            "DATABASE_URL: this user may not create a schema there: "
            "GRANT CREATE ON DATABASE, or unset DATABASE_URL for the embedded SQLite"
        )
