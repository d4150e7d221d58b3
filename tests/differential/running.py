"""Real workers on private servers, for the tests and for ``make differential``."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from offcanvas.celery_app.recorder import LEDGER
from offcanvas.checking.ledger import Ledger
from offcanvas.engines.celery.engine import let_go
from offcanvas.engines.prefect.private_worker import private_worker
from offcanvas.engines.temporal.caller import caller
from offcanvas.servers import redis, temporal
from offcanvas.servers.base import leashed
from tests.differential.tasks import ROUTED, app, sentinel


class CeleryWorker:
    """A Celery worker on a Redis of its own: one task at a time, with ``book`` for its ledger."""

    def __init__(self, server):
        self.book = Ledger(server.folder / "ledger.jsonl")
        self.book.clear()
        self._server = server
        self._start()

    def _start(self):
        command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "tests.differential.tasks"]
        # A process of its own for tasks: a worker without one ends with a task that raises what is
        # not an Exception, and does not hear meanwhile what is revoked.
        queues = ["-Q", f"{app.conf.task_default_queue},{ROUTED}"]
        options = [
            *queues,
            "-P",
            "prefork",
            "-c",
            "1",
            "-l",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
        ]
        with (self._server.folder / "worker.log").open("ab") as output:
            self._process = subprocess.Popen(
                leashed([*command, "worker", *options, "--without-heartbeat"]),
                env=environment(self.book),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        sentinel.delay().get(timeout=300, interval=0.02)

    @property
    def pid(self):
        return self._process.pid

    def blocks(self):
        """Whether it has ended, or does nothing at all for five seconds, asleep all the while."""
        if self._process.poll() is not None:
            return True
        main = psutil.Process(self._process.pid)
        before = self.book.path.stat().st_size
        for _ in range(100):
            with suppress(psutil.NoSuchProcess):  # a child that has ended meanwhile
                processes = [main, *main.children(recursive=True)]
                if any(one.status() != psutil.STATUS_SLEEPING for one in processes):
                    return False
            time.sleep(0.05)
        return self.book.path.stat().st_size == before

    def keeps_messages(self):
        """Whether there is a message, taken or not, that it has not begun to work on."""
        client = app.backend.client
        return client.hlen("unacked") > 0 or client.llen(ROUTED) > 0

    def renew(self):
        """Another worker in its place, and nothing to do for it."""
        self._process.kill()
        self._process.wait()
        app.backend.client.delete(app.conf.task_default_queue, ROUTED, "unacked", "unacked_index")
        self._start()

    def stop(self):
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(300)


@contextmanager
def worker():
    """A ``CeleryWorker``, to which the app's messages go."""
    with redis() as server:
        before = (app.conf.broker_url, app.conf.result_backend)
        app.conf.update(broker_url=server.url, result_backend=server.url)
        made = CeleryWorker(server)
        try:
            yield made
        finally:
            made.stop()
            let_go(app.backend)
            app.conf.update(broker_url=before[0], result_backend=before[1])


def environment(book):
    """For processes of an engine: results in the Redis of ``worker``, what runs in its ledger."""
    url = app.conf.result_backend
    return {**os.environ, "OFFCANVAS_DIFFERENTIAL_REDIS": url, LEDGER: str(book.path)}


class Elsewhere:
    """Starts canvases on another engine by ``calls``; what they run is in ``book``."""

    def __init__(self, calls, book):
        self.book = book
        #: Members of a group that run together (``batches.Batch``).
        self.batch = None
        self._calls = calls


class OnTemporal(Elsewhere):
    """See ``Elsewhere``."""

    name = "temporal"

    def walk(self, plans):
        """Walk them side by side, each to its end."""

        def one(plan):
            return self._calls.walk(app, plan, strict=True, timeout=600, batch=self.batch)

        with ThreadPoolExecutor(len(plans)) as threads:
            return all(threads.map(one, plans))


class OnPrefect(Elsewhere):
    """See ``Elsewhere``."""

    name = "prefect"

    def walk(self, plans):
        """Walk them side by side, each to its end."""
        # Whoever waits asks the server: for one after the other.
        begun = [self._calls.start(app, plan, strict=True, batch=self.batch) for plan in plans]
        return all(self._calls.finish(run, 600) for run in begun)


@contextmanager
def temporal_worker():
    """``OnTemporal``, with a worker that has the plugin."""
    with temporal() as server, caller(server.url, "differential") as calls:
        book = Ledger(server.folder / "ledger.jsonl")
        command = [sys.executable, "-m", "tests.differential.temporal_worker"]
        with (server.folder / "worker.log").open("wb") as output:
            process = subprocess.Popen(
                leashed([*command, server.url, calls.task_queue]),
                env=environment(book),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield OnTemporal(calls, book)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(300)


@contextmanager
def prefect_worker(address):
    """``OnPrefect`` on the server at ``address``, with a worker of the kit."""
    with TemporaryDirectory(prefix="oc-") as folder, pytest.MonkeyPatch.context() as patch:
        book = Ledger(Path(folder) / "ledger.jsonl")
        for name, setting in environment(book).items():
            patch.setenv(name, setting)
        # Of every task that fails, and many do.
        patch.setenv("PREFECT_LOGGING_LEVEL", "CRITICAL")
        with private_worker(app, address) as calls:
            patch.undo()
            yield OnPrefect(calls, book)
