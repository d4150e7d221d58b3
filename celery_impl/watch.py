"""What metrics tell of Celery as a whole: the queue, the workers, open chords, the database.

Where the age of the oldest message comes from: on Redis from its header, on RabbitMQ, which lets
nobody look without taking, it is the time since the queue was last empty or got shorter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery

from celery_impl.app import connect
from celery_impl.health import ask_workers, depth
from celery_impl.reach import reach
from celery_impl.stamp import due
from shared import metrics
from shared.metrics.sight import Sight, Waiting
from shared.recovery import unfinished

ENGINE = "celery"
_PROBE = "voter-rolls-probe"
_KEPT = 60  # seconds


@contextmanager
def looker() -> Iterator[tuple[str, Callable[[], Sight]]]:
    """The look, for the metrics of `python -m celery_impl watch`."""
    meter = metrics.meter()
    if meter is not None:
        meter.knows(ENGINE, ())
    yield ENGINE, Look(connect())


class Look:
    """Asks broker, workers, result backend and database."""

    def __init__(self, app: Celery[Any]) -> None:
        self._app = app
        self._depth = 0
        self._moved = time.time()

    def __call__(self) -> Sight:
        """What is there now.

        Raises:
            UsageError: broker or result backend do not answer.
        """
        app = self._app
        reach(app)
        self._see_that_results_are_stored()
        with app.connection_for_read() as connection:
            queue = app.conf.task_default_queue
            count = depth(connection, queue)[0]
            if not count or count < self._depth:
                self._moved = time.time()
            self._depth = count
            since = _head(connection, queue)
            workers = ask_workers(app, connection)
        runs, unsent = unfinished(ENGINE)
        return Sight(
            queues={queue: Waiting(count, self._moved if since is None else since)},
            workers=len(workers),
            canvases=open_chords(app),
            runs=runs,
            unsent=unsent,
        )

    def _see_that_results_are_stored(self) -> None:
        """A Redis that is full answers, and takes nothing."""
        client = getattr(self._app.backend, "client", None)
        if client is None or not hasattr(client, "set"):
            return
        try:
            client.set(_PROBE, b"", ex=_KEPT)
        except Exception:
            meter = metrics.meter()
            if meter is not None:
                meter.not_stored(ENGINE)
            raise


def _head(connection: Any, queue: str) -> float | None:
    """When the oldest message was sent, or is due; None where the broker does not show it."""
    if connection.transport.driver_type != "redis":
        return None
    with connection.channel() as channel:
        raw = channel.client.lindex(queue, -1)
    return None if raw is None else due(json.loads(raw)["headers"])


def open_chords(app: Celery[Any]) -> Waiting | None:
    """Chords whose body has not been sent, by their keys in Redis, and since when."""
    backend: Any = app.backend  # celery-types knows the base class only
    client = getattr(backend, "client", None)
    if client is None or not hasattr(client, "scan_iter"):
        return None
    pattern = backend.get_key_for_group("*", ".s")
    keys = list(client.scan_iter(match=pattern, count=1_000))
    # A key's life begins with the chord; it is not renewed.
    left = [client.ttl(key) for key in keys]
    ages = [backend.expires - seconds for seconds in left if backend.expires and seconds >= 0]
    return Waiting(len(keys), time.time() - max(ages) if ages else None)
