"""When a Celery worker on a private Redis has nothing left to do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis import Redis

from offcanvas.stopping import raise_if_asked

if TYPE_CHECKING:
    from celery import Celery

_INTERVAL = 0.05
#: Between a queue's name and its priority in the name of a list (kombu's Redis transport), unless
#: the transport option ``sep`` says otherwise.
_PRIORITY = "\x06\x16"


@dataclass(frozen=True, slots=True)
class _Look:
    """Messages in queues, at the worker, in its processes; and all that it has ever begun."""

    queued: tuple[str, ...]
    waiting: int
    reserved: int
    active: int
    begun: int

    @property
    def idle(self) -> bool:
        return not (self.queued or self.waiting or self.reserved or self.active)


def come_to_rest(app: Celery, url: str, *, timeout: float) -> bool:
    """Wait until the one worker at the Redis ``url`` is idle; False when ``timeout`` came first.

    A message moves from a queue to the worker, from there to a process, and what its task sends is
    in a queue before it ends. Two looks in a row that find nothing, nowhere, and no task begun
    between them: all is done. Messages with a countdown count as waiting.

    Queues that nobody consumes from are given to the worker, as a real deployment would have a
    worker for them.
    """
    deadline = time.monotonic() + timeout
    client = Redis.from_url(url.replace("redis+socket://", "unix://"), decode_responses=True)
    consumed: set[str] = set()
    before: _Look | None = None
    try:
        host = _host(app, deadline)
        while host is not None:
            raise_if_asked()
            look = _look(app, client, host)
            if look is not None and look.idle and look == before:
                return True
            for queue in set(look.queued if look is not None else ()) - consumed:
                app.control.add_consumer(queue, destination=[host], reply=True, limit=1)
                consumed.add(queue)
            if time.monotonic() > deadline:
                return False
            before = look
            time.sleep(_INTERVAL)
        return False
    finally:
        client.close()


def _host(app: Celery, deadline: float) -> str | None:
    while True:
        raise_if_asked()
        (host,) = app.control.inspect(timeout=5, limit=1).ping() or (None,)
        if host is not None or time.monotonic() > deadline:
            return host


def _look(app: Celery, client: Any, host: str) -> _Look | None:
    """None if the worker does not answer: one that is too busy for it is not idle."""
    lists = client.scan_iter(match="*", count=1000, _type="list")
    between = (app.conf.broker_transport_options or {}).get("sep", _PRIORITY)
    queued = {_queue(name, between) for name in lists if "pidbox" not in name}
    waiting = client.hlen("unacked")
    ask: Any = app.control.inspect(destination=[host], timeout=5)
    reserved, active, stats = (
        (question() or {}).get(host) for question in (ask.reserved, ask.active, ask.stats)
    )
    if reserved is None or active is None or stats is None:
        return None
    return _Look(
        tuple(sorted(queued)), waiting, len(reserved), len(active), sum(stats["total"].values())
    )


def _queue(name: str, between: str) -> str:
    queue, found, priority = name.rpartition(between)
    return queue if found and priority.isdigit() else name
