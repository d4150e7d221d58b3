"""What waits in the broker: Redis and RabbitMQ, and what a client can learn of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kombu.transport.native_delayed_delivery import MAX_NUMBER_OF_BITS_TO_USE, level_name
from redis.exceptions import ResponseError

from offcanvas.drain.findings import Finding, Place
from offcanvas.drain.queues import Queues

#: Exchanges of Celery's own, whose queues hold no tasks.
_NO_TASKS = ("pidbox", "celeryev", "reply.celery")


def waiting_in_broker(
    connection: Any, queues: Queues, consumed: Mapping[str, tuple[str, ...]], held: int
) -> Iterator[Finding]:
    """Ready, unacknowledged and delayed messages.

    Args:
        connection: an open connection to the broker.
        queues: the app's queues.
        consumed: by name, the queues that each worker that answers consumes from.
        held: how many tasks these workers have in hand.
    """
    match connection.transport.driver_type:
        case "redis":
            with connection.channel() as channel:
                yield from _redis(channel, queues)
        case "amqp":
            yield from _amqp(connection, queues, consumed, held)
        case kind:
            why = f"the broker is of a kind ({kind}) that does not say"
            for place in (Place.READY, Place.OTHER_QUEUES, Place.UNACKNOWLEDGED, Place.DELAYED):
                yield Finding(place, None, why)


def known_workers(connection: Any, app: Any) -> int | None:
    """How many workers the broker can reach with questions; None where it does not say.

    Redis keeps the address of a worker that was killed, for as long as others are there. So no more
    are taken to be alive than there are connections that listen to broadcasts: each worker has one,
    or two with gossip.
    """
    if connection.transport.driver_type != "redis":
        return None
    with connection.channel() as channel:
        known = len(channel.get_table(app.control.mailbox.exchange.name))
        database = str(channel.client.connection_pool.connection_kwargs.get("db") or 0)
        try:
            clients = channel.client.client_list()
        except ResponseError:  # not allowed to this user
            return known
    listening = [one for one in clients if one["db"] == database and one["psub"] != "0"]
    return min(known, len(listening))


# -- Redis: every queue is a list, and one more for each priority above 0


def _redis(channel: Any, queues: Queues) -> Iterator[Finding]:
    client, between = channel.client, channel.sep
    sizes = Counter({name: _size(client, name, between) for name in queues.names})
    yield _counted(Place.READY, sizes)
    others = Counter(
        {
            name: _size(client, name, between)
            for name in _bound(channel) - queues.names
            if not name.endswith(_NO_TASKS) and not name.startswith("celeryev")
        }
    )
    yield _counted(Place.OTHER_QUEUES, others)
    yield Finding(Place.UNACKNOWLEDGED, int(client.hlen(channel.unacked_key)))
    # A message with a countdown goes to a worker at once, which keeps it.
    yield Finding(Place.DELAYED, 0)


def _size(client: Any, queue: str, between: str) -> int:
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in queue)
    names = {queue, *(_text(key) for key in client.scan_iter(match=f"{escaped}{between}*"))}
    return sum(int(client.llen(name)) for name in names)


def _bound(channel: Any) -> set[str]:
    """Every queue that was ever bound here: kombu keeps a set for each exchange."""
    pattern = channel.keyprefix_queue % ("*",)
    keys = [_text(key) for key in channel.client.scan_iter(match=pattern)]
    found: set[str] = set()
    for key in keys:
        if key.endswith(_NO_TASKS):
            continue
        members = map(_text, channel.client.smembers(key))
        found |= {member.split(channel.sep)[2] for member in members if channel.sep in member}
    return found


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


# -- RabbitMQ: a client learns what is ready, and how many consumers a queue has


def _amqp(
    connection: Any, queues: Queues, consumed: Mapping[str, tuple[str, ...]], held: int
) -> Iterator[Finding]:
    ready: Counter[str] = Counter()
    silent: list[str] = []
    for name in sorted(queues.names):
        ready[name], consumers = _declared(connection, name)
        answering = sum(name in names for names in consumed.values())
        if consumers > answering:
            silent.append(f"{name}: {consumers} consumers, of which {answering} answer")
    yield _counted(Place.READY, ready)
    if queues.computed:
        why = f"{queues.computed}, which computes names, and RabbitMQ lists no queues to a client"
        yield Finding(Place.OTHER_QUEUES, None, why)
    else:
        yield Finding(Place.OTHER_QUEUES, 0)
    if silent:
        yield Finding(Place.UNACKNOWLEDGED, None, "; ".join(silent))
    else:
        yield Finding(Place.UNACKNOWLEDGED, held)
    # Celery's user guide, "RabbitMQ", "Native Delayed Delivery": one queue for each bit.
    levels = [_declared(connection, level_name(n))[0] for n in range(MAX_NUMBER_OF_BITS_TO_USE)]
    detail = "all apps on this virtual host share these queues" if any(levels) else ""
    yield Finding(Place.DELAYED, sum(levels), detail)


def _declared(connection: Any, queue: str) -> tuple[int, int]:
    """Messages that are ready, and consumers; a queue that is not there has neither."""
    with connection.channel() as channel:
        try:
            found = channel.queue_declare(queue, passive=True)
        except connection.channel_errors as error:
            if getattr(error, "reply_code", 404) != 404:  # AMQP's "not found"
                raise
            return 0, 0
        return int(found.message_count), int(found.consumer_count or 0)


def _counted(place: Place, sizes: Counter[str]) -> Finding:
    some = [f"{name}: {count}" for name, count in sorted(sizes.items()) if count]
    return Finding(place, sizes.total(), ", ".join(some))
