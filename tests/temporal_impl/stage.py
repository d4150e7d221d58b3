"""A Temporal server, a database with a small roll book, and worker processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from offcanvas.servers import temporal
from offcanvas.servers.base import leashed, stop_process_group
from shared import ledger
from shared.database import transaction
from shared.fake import sized
from shared.models import Effect
from shared.roll_book import fill
from shared.settings import settings
from temporal_impl.client import Client
from tests.services import database_at

ROOT = Path(__file__).resolve().parents[2]

# An empty center, one voter, one full page and one more, one full station and one more: 4 stations
# with 1 + 2 + 13 + 1 pages.
SIZES = (0, 1, 41, 501)
STATIONS = ("C0001-1", "C0002-1", "C0003-1", "C0003-2")
PAGES = 17


@dataclass
class Stage:
    """The server's client and a place for workers' logs."""

    client: Client
    folder: Path

    @contextmanager
    def worker(self, concurrency: int = 2) -> Iterator[subprocess.Popen[bytes]]:
        """A worker process that takes work."""
        log = self.folder / f"worker-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                leashed(self.client.worker_command(concurrency)),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.client.wait_for_worker(300)
            yield process
        finally:
            stop_process_group(process)
            if process.returncode not in {0, -9}:
                raise AssertionError(log.read_text())


@contextmanager
def stage(folder: Path, sizes: Sequence[int] = SIZES) -> Iterator[Stage]:
    """Start the server and fill the database; their addresses are in the environment."""
    with (
        pytest.MonkeyPatch.context() as patch,
        temporal() as server,
        database_at(f"sqlite:///{folder / 'voters.db'}"),
    ):
        patch.setenv("ROLLS_DIR", str(folder / "rolls"))
        for name, value in server.environment.items():
            patch.setenv(name, value)
        settings.cache_clear()
        with transaction() as session:
            fill(session, sized(sizes))
        client = Client()
        try:
            yield Stage(client, folder)
        finally:
            client.close()
            settings.cache_clear()


def executed(run_id: str) -> Counter[tuple[str, str]]:
    """The ledger's count of each step of the run."""
    with transaction(read_only=True) as session:
        return ledger.balance(session, run_id).executed


def effects(run_id: str) -> list[Effect]:
    """The ledger's rows of the run."""
    with transaction(read_only=True) as session:
        return ledger.effects(session, run_id)


def rolls(run_id: str) -> list[str]:
    """The files of the run."""
    return sorted(path.name for path in (settings().rolls_dir / run_id).glob("*.pdf"))


def until(condition: Callable[[], bool], within: float = 300.0) -> None:
    """Wait for what happens elsewhere."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
