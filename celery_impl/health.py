"""What is queued, what is being worked on, and what stands still.

Redis keeps what has been delivered and not acknowledged in a hash of its own. RabbitMQ tells a
client only how many messages are ready and how many consumers a queue has; there the workers are
asked what they hold, and what a consumer holds that does not answer is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.exceptions import ChannelError
from kombu.transport.native_delayed_delivery import MAX_NUMBER_OF_BITS_TO_USE, level_name
from sqlalchemy.exc import SQLAlchemyError

from celery_impl.describe import subject
from celery_impl.reach import reach
from shared.contract import Health
from shared.errors import UsageError
from shared.recovery import find_gaps
from shared.settings import masked

_ANSWER_WITHIN = 1.0  # seconds
_BUSY_ANSWER_WITHIN = 5.0  # seconds, for a worker on a machine that is full of work


@dataclass(frozen=True, slots=True)
class Load:
    """What lies where: messages in the queue, delivered ones, and chords that are still open.

    `unacknowledged` and `open_chords` are None where the broker or the result backend cannot tell;
    `delayed` are messages that wait for their time inside RabbitMQ (of all projects on the virtual
    host: its delayed queues are shared), `scheduled` those that wait for it in a worker.
    """

    queued: int
    unacknowledged: int | None
    delayed: int
    active: int
    reserved: int
    scheduled: int
    open_chords: int | None
    workers: tuple[str, ...]

    @property
    def idle(self) -> bool:
        """Whether no message exists that was written by the present code, as far as can be told.

        Where something cannot be told, the answer is no.
        """
        waiting = self.queued + self.delayed
        held = self.active + self.reserved + self.scheduled
        return self.unacknowledged == 0 and not (waiting or held or self.open_chords)


def load(app: Celery) -> Load:
    """Ask the broker, the workers and the result backend.

    Raises:
        UsageError: the broker or the result backend does not answer.
    """
    reach(app)
    with app.connection_for_read() as connection:
        queued, consumers = depth(connection, app.conf.task_default_queue)
        delayed = _delayed(connection)
        inspect, workers = _ask(app, connection)
        # In the order in which a task moves on: one that does in between is counted twice, the
        # other way round not at all.
        told = {
            name: _count(getattr(inspect, name)() if workers else None)
            for name in ("scheduled", "reserved", "active")
        }
        unacknowledged = _unacknowledged(connection)
        if unacknowledged is None and consumers <= len(workers):
            unacknowledged = sum(told.values())
    return Load(
        queued=queued,
        unacknowledged=unacknowledged,
        delayed=delayed,
        open_chords=_open_chords(app),
        workers=workers,
        **told,
    )


def ask_workers(app: Celery, connection: Any) -> tuple[str, ...]:
    """The names of the workers that answer."""
    return _ask(app, connection)[1]


def runs_in_hand(app: Celery) -> set[str | None]:
    """The runs of which a worker that answers has a task in hand, at work or reserved."""
    with app.connection_for_read() as connection:
        inspect, workers = _ask(app, connection)
        if not workers:
            return set()
        # Reserved first: what is begun in between is seen twice, the other way round not at all.
        reserved, active = inspect.reserved() or {}, inspect.active() or {}
    return {
        subject(task["name"], task["args"], task["kwargs"])[0]
        for tasks in (*reserved.values(), *active.values())
        for task in tasks
    }


def _ask(app: Celery, connection: Any) -> tuple[Any, tuple[str, ...]]:
    """For questions to the workers that answer, and the names of these.

    Where the broker knows of more workers than answer at first, the others get more time.
    """
    inspect: Any = app.control.inspect(timeout=_ANSWER_WITHIN, connection=connection)
    workers = inspect.ping() or {}
    inspect.timeout = _BUSY_ANSWER_WITHIN
    if len(workers) < _known(app, connection):
        workers = inspect.ping() or {}
    # Who answers is known by now: the further questions need not wait for others.
    inspect.limit = len(workers)
    return inspect, tuple(sorted(workers))


def _known(app: Celery, connection: Any) -> int:
    """The workers of which Redis has the address for questions, or RabbitMQ a consumer."""
    if connection.transport.driver_type != "redis":
        return depth(connection, app.conf.task_default_queue)[1]
    mailbox: Any = app.control.mailbox  # type: ignore[attr-defined]  # celery-types lacks it
    with connection.channel() as channel:
        return len(channel.get_table(mailbox.exchange.name))


def depth(connection: Any, queue: str) -> tuple[int, int]:
    """Messages that are ready, and consumers; a queue that nobody has declared yet has neither."""
    with connection.channel() as channel:
        try:
            found = channel.queue_declare(queue, passive=True)
        except (ChannelError, *connection.channel_errors):
            return 0, 0
        return int(found.message_count), int(found.consumer_count or 0)


def _delayed(connection: Any) -> int:
    """Messages with a countdown wait in queues of RabbitMQ's own, one for each bit of the delay.

    userguide: getting-started/backends-and-brokers/rabbitmq, "Native Delayed Delivery".
    """
    if connection.transport.driver_type != "amqp":
        return 0
    levels = range(MAX_NUMBER_OF_BITS_TO_USE)
    return sum(depth(connection, level_name(level))[0] for level in levels)


def _unacknowledged(connection: Any) -> int | None:
    if connection.transport.driver_type != "redis":
        return None
    with connection.channel() as channel:
        return int(channel.client.hlen(channel.unacked_key))


def _count(told: Mapping[str, Sequence[object]] | None) -> int:
    return sum(len(tasks) for tasks in (told or {}).values())


def _open_chords(app: Celery) -> int | None:
    client = getattr(app.backend, "client", None)
    if client is None or not hasattr(client, "scan_iter"):
        return None
    # The size of a chord is kept from its start until its body has been sent or failed.
    backend: Any = app.backend  # celery-types knows the base class only
    pattern = backend.get_key_for_group("*", ".s")
    return sum(1 for _ in client.scan_iter(match=pattern, count=1_000))


def look(app: Celery) -> Health:
    """The health check; what is down is told, not raised."""
    broker = masked(str(app.conf.broker_url))
    stuck, database = _stuck()
    try:
        found = load(app)
    except UsageError as error:
        return Health("celery", False, " ".join(str(error).split()) + database, stuck=stuck)
    detail = f"broker {broker}, {found.scheduled} waiting for their time"
    if found.delayed:
        detail += f", {found.delayed} delayed in the broker"
    if found.unacknowledged is not None:
        detail += f", {found.unacknowledged} unacknowledged"
    if found.open_chords is not None:
        detail += f", {found.open_chords} open chords"
    return Health(
        engine="celery",
        reachable=True,
        detail=detail + database,
        workers=found.workers,
        queued=found.queued,
        running=found.active,
        stuck=stuck,
    )


def _stuck() -> tuple[tuple[str, ...], str]:
    try:
        return tuple(gap.run_id for gap in find_gaps("celery")), ""
    except (SQLAlchemyError, UsageError) as error:
        return (), f", database: {' '.join(str(error).split())}"
