"""An app on Redis or RabbitMQ, with a broker and results of its own, and workers on demand."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

import pytest
from kombu.transport.native_delayed_delivery import MAX_NUMBER_OF_BITS_TO_USE, level_name

from offcanvas.celery_app.private_results import backend_set_aside
from offcanvas.celery_app.settings import change_settings
from offcanvas.drain.findings import Place
from offcanvas.drain.look import look
from offcanvas.engines.celery.engine import let_go
from offcanvas.servers import redis
from tests.drain import shop
from tests.services import private_rabbitmq


@dataclass(frozen=True)
class Stage:
    """An app whose broker is empty at the beginning of each test."""

    broker: str
    environment: dict[str, str]

    @property
    def app(self):
        return shop.app

    def count(self, place: Place) -> int | None:
        return look(self.app).of(place).count

    def detail(self, place: Place) -> str:
        return look(self.app).of(place).detail

    def waiting(self) -> set[Place]:
        return {one.place for one in look(self.app).waiting()}

    def until(self, true, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"still waiting: {look(self.app)}"
            time.sleep(0.1)

    @contextmanager
    def worker(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "tests.drain.shop"]
        command += ["worker", "-c", "1", "-l", "ERROR", "--without-gossip", "--without-mingle"]
        process = subprocess.Popen(
            [*command, "-n", f"{uuid4().hex[:8]}@%h", *words],
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        try:
            self.until(lambda: self.app.control.ping(timeout=1.0, limit=1))
            yield process
        finally:
            with_children = os.getpgid(process.pid) if process.poll() is None else None
            if with_children is not None:
                os.killpg(with_children, signal.SIGCONT)
                os.killpg(with_children, signal.SIGKILL)
            process.wait(60)


@contextmanager
def staged(kind: str) -> Iterator[Stage]:
    """The app of this process on a private broker of a kind, with private results."""
    with ExitStack() as stack:
        server = stack.enter_context(redis(tcp=True))
        broker = f"{server.url}/1"
        if kind == "rabbitmq":
            broker = stack.enter_context(private_rabbitmq())
        environment = {"DRAIN_BROKER": broker, "DRAIN_RESULTS": f"{server.url}/0"}
        change_settings(
            shop.app, {"broker_url": broker, "result_backend": environment["DRAIN_RESULTS"]}
        )
        shop.app._after_fork()
        with backend_set_aside(shop.app):
            yield Stage(kind, environment)
            let_go(shop.app.backend)
        shop.app._after_fork()


@pytest.fixture(
    scope="package", params=["redis", pytest.param("rabbitmq", marks=pytest.mark.services)]
)
def _place(request) -> Iterator[Stage]:
    with staged(request.param) as found:
        yield found


@pytest.fixture
def stage(_place) -> Iterator[Stage]:
    yield _place
    shop.app.conf.beat_schedule = {}
    delayed = map(
        level_name, range(MAX_NUMBER_OF_BITS_TO_USE) if _place.broker == "rabbitmq" else ()
    )
    for name in (shop.QUEUE, f"{shop.PREFIX}.urgent", f"{shop.PREFIX}.elsewhere", *delayed):
        with shop.app.connection_for_write() as connection, connection.channel() as channel:
            with suppress(*connection.channel_errors):  # it was never declared
                # Not deleted: kombu remembers what it has declared, and declares it once.
                channel.queue_purge(name)
            if _place.broker == "redis":
                channel.client.delete(channel.unacked_key, channel.unacked_index_key)
    shop.app.backend.client.flushdb()
