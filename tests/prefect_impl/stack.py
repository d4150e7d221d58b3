"""A Prefect server, a roll book, and a worker that can be stopped, killed and started again."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from offcanvas.servers.base import leashed
from prefect_impl.client import Client
from shared import ledger
from shared.database import transaction

ROOT = Path(__file__).resolve().parents[2]
CONCURRENCY = 2
WITHIN = 300.0  # seconds; a limit for what never comes, not an expectation


@dataclass
class Stack:
    """One worker at a time, and a client."""

    client: Client
    folder: Path
    url: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start_worker(self, command: Sequence[str] = ()) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                leashed(command or self.client.worker_command(CONCURRENCY)),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client.wait_for_worker(WITHIN)

    def need_worker(self) -> None:
        """Start one unless a test has left one behind."""
        if self.process is None:
            self.start_worker()

    def stop_worker(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; returns the exit status."""
        os.kill(self.pid, number)
        return self.worker_ended()

    def worker_ended(self) -> int:
        """Wait for the end of the worker; returns the exit status."""
        assert self.process is not None
        status = self.process.wait(WITHIN)
        self.process = None
        return status

    def step_processes(self) -> list[psutil.Process]:
        """The children of the fork server, which is a child of the worker."""
        children = psutil.Process(self.pid).children()
        return [process for child in children for process in child.children()]

    @contextmanager
    def held(self) -> Iterator[None]:
        """No step goes on within the block, so that a flow run in hand stays in hand."""
        processes = self.step_processes()
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def run(self, variant: str, run_id: str) -> str:
        """Start a variant, wait for its end, and return the flow run's id."""
        execution = self.client.start(variant, run_id)
        self.client.wait(execution, WITHIN)
        return execution


def executed(run_id: str) -> Counter[tuple[str, str]]:
    """What the ledger holds of a run."""
    with transaction(read_only=True) as session:
        return ledger.balance(session, run_id).executed


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never happened: {what}")
        time.sleep(0.05)
