"""What the lessons have in common: a place with servers, workers that come and go, waiting."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from celery.utils.nodenames import gethostname

from celery_impl.health import load
from offcanvas.servers.base import leashed
from tests.lessons.work import Marks, make_app, profile_of

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], object], what: str, within: float = 300.0) -> None:
    """Wait for it; the test fails if it does not come true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


@dataclass
class Class:
    """A profile at work in a queue and a folder of its own."""

    profile: str
    broker: str
    results: str
    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    concurrency: int = 1

    def __post_init__(self) -> None:
        self.queue = f"lesson-{secrets.token_hex(4)}"
        self.marks = Marks(self.folder)
        self.made = profile_of(self.profile, self.broker, self.results)
        self.app: Celery = make_app(self.made, self.queue, self.folder, **self.changes)
        self._workers: list[psutil.Process] = []

    def send(self, task: str, *args: Any, **options: Any) -> Any:
        """Send a task by its name, with the profile's habits."""
        return self.app.tasks[f"lessons.{task}"].apply_async(args, **options)

    def begun(self, item: str, times: int = 1) -> None:
        """Wait until the item has been begun so often."""
        until(lambda: self.marks.count(f"begin {item}") >= times, f"{item} begun {times} times")

    def taken(self, item: str) -> None:
        """Wait until the item has been begun and its worker knows, which acknowledges then."""
        self.begun(item)
        until(lambda: self.load().active, f"{item} known to its worker")

    def ended(self, item: str) -> None:
        """Wait until the item has ended."""
        until(lambda: self.marks.count(f"end {item}"), f"{item} ended")

    def pass_through(self, item: str = "after") -> None:
        """Send another item and wait until it has ended: a queue gives first what came first."""
        self.marks.open_door(item)
        self.send("work", item)
        self.ended(item)

    def start_worker(self, version: int = 1) -> psutil.Process:
        """Start a worker, and return when it answers."""
        told = {
            "profile": self.profile, "broker": self.broker, "results": self.results,
            "queue": self.queue, "folder": str(self.folder), "changes": self.changes,
            "concurrency": self.concurrency,
        }  # fmt: skip
        with (self.folder / "worker.log").open("ab") as log:
            process = psutil.Popen(
                leashed([sys.executable, "-m", "tests.lessons.work"]), cwd=ROOT,
                env={**os.environ, "LESSON": json.dumps(told), "LESSON_VERSION": str(version)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self._workers.append(process)
        name = f"{self.queue}-{process.pid}@{gethostname()}"
        ask = self.app.control.inspect(destination=[name], timeout=1.0)
        until(ask.ping, f"an answer of {name}")
        return process

    def log(self) -> str:
        """What its workers have said."""
        return (self.folder / "worker.log").read_text()

    def load(self):
        """What lies where."""
        return load(self.app)

    def close(self) -> None:
        """No worker is left."""
        for worker in self._workers:
            kill(worker)


def kill(worker: psutil.Process) -> None:
    """SIGKILL to the worker and its processes, as when a machine goes."""
    try:
        family = [worker, *worker.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)


@contextmanager
def class_of(
    profile: str, broker: str, results: str, folder: Path, **given: Any
) -> Iterator[Class]:
    """A class in a new folder, dismissed at the end."""
    place = folder / f"{profile}-{secrets.token_hex(3)}"
    place.mkdir()
    found = Class(profile, broker, results, place, **given)
    try:
        yield found
    finally:
        found.close()
        found.app.close()
