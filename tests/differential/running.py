"""Real workers on private servers, for the tests and for ``make differential``."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from offcanvas.check.ledger import Ledger
from offcanvas.engines.celery import let_go
from offcanvas.engines.prefect.run import deployment
from offcanvas.engines.recorder import LEDGER
from offcanvas.engines.temporal.run import caller
from offcanvas.servers import redis, temporal
from tests.differential.tasks import app, sentinel


@contextmanager
def worker():
    """The ledger of a Celery worker on a Redis of its own, which runs one task at a time."""
    with redis() as server:
        before = (app.conf.broker_url, app.conf.result_backend)
        app.conf.update(broker_url=server.url, result_backend=server.url)
        book = Ledger(server.folder / "ledger.jsonl")
        book.clear()
        command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "tests.differential.tasks"]
        options = ["-P", "solo", "-c", "1", "-l", "WARNING", "--without-gossip", "--without-mingle"]
        with (server.folder / "worker.log").open("wb") as output:
            process = subprocess.Popen(
                [*command, "worker", *options, "--without-heartbeat"],
                env=_environment(book),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            sentinel.delay().get(timeout=300, interval=0.02)
            yield book
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(300)
            let_go(app.backend)
            app.conf.update(broker_url=before[0], result_backend=before[1])


def _environment(book):
    """For processes of an engine: results in the Redis of ``worker``, what runs in its ledger."""
    url = app.conf.result_backend
    return {**os.environ, "OFFCANVAS_DIFFERENTIAL_REDIS": url, LEDGER: str(book.path)}


@contextmanager
def temporal_worker(book):
    """Starts canvases on Temporal; a worker with the plugin writes to ``book``."""
    with temporal() as server, caller(server.url, "differential") as calls:
        command = [sys.executable, "-m", "tests.differential.temporal_worker"]
        with (server.folder / "worker.log").open("wb") as output:
            process = subprocess.Popen(
                [*command, server.url, calls.task_queue],
                env=_environment(book),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield calls
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(300)


@contextmanager
def prefect_worker(book, address):
    """Starts canvases on the Prefect at ``address``; a worker of the kit writes to ``book``."""
    with pytest.MonkeyPatch.context() as patch:
        for name, setting in _environment(book).items():
            patch.setenv(name, setting)
        with deployment(app, address) as calls:
            patch.undo()
            yield calls
