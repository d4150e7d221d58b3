"""States in which an app is not drained: each is planted, and taken away again.

A plant takes the stage and a folder, and is a context: inside of it the state is there.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from celery import chord
from kombu import Exchange, Queue
from kombu.transport.native_delayed_delivery import MAX_NUMBER_OF_BITS_TO_USE, level_name

from offcanvas.drain.findings import Place
from tests.drain.shop import PREFIX, again, hold, noop

REDIS, RABBITMQ = "redis", "rabbitmq"


@dataclass(frozen=True)
class Plant:
    """A state.

    Attributes:
        state: what it is, in words.
        broker: where it is planted.
        place: what of it the command has to name.
        plant: the context.
        detail: a pattern of what it says besides.
    """

    state: str
    broker: str
    place: Place
    plant: Callable[..., Any]
    detail: str = ""

    @property
    def name(self) -> str:
        return f"{self.broker}: {self.state}"


def _purge(stage, *queues):
    for name in queues:
        with (
            stage.app.connection_for_write() as connection,
            suppress(*connection.channel_errors),  # it was never declared
            connection.channel() as channel,
        ):
            channel.queue_purge(name)


@contextmanager
def ready(stage, _folder):
    noop.delay()
    yield
    _purge(stage, f"{PREFIX}.main")


@contextmanager
def with_a_priority(stage, _folder):
    noop.apply_async(priority=6)
    yield
    _purge(stage, f"{PREFIX}.main")


@contextmanager
def in_a_queue(stage, arguments):
    """A message in a queue of the app's that is declared with these arguments."""
    # Of its own: kombu remembers what it has declared, and declares it once.
    name = f"{PREFIX}.{uuid4().hex[:8]}"
    exchange = Exchange(name, type="direct")
    stage.app.amqp.queues.add(Queue(name, exchange, routing_key=name, queue_arguments=arguments))
    try:
        noop.apply_async(queue=name, priority=6)
        yield
    finally:
        with stage.app.connection_for_write() as connection, connection.channel() as channel:
            channel.queue_delete(name)
        stage.app.amqp.queues.pop(name, None)


def in_a_priority_queue(stage, _folder):
    return in_a_queue(stage, {"x-max-priority": 10})


def in_a_quorum_queue(stage, _folder):
    return in_a_queue(stage, {"x-queue-type": "quorum"})


@contextmanager
def where_names_are_computed(stage, _folder):
    stage.app.conf.task_routes = (lambda name, *_args, **_kwargs: None,)
    queue = f"{PREFIX}.elsewhere"
    try:
        noop.apply_async(queue=queue)
        stage.app.amqp.queues.pop(queue, None)
        yield
    finally:
        stage.app.conf.task_routes = None
        _purge(stage, queue)


@contextmanager
def running(stage, folder):
    gate = folder / "running"
    with stage.worker():
        hold.delay(str(gate))
        stage.until((folder / "running.begun").exists)
        yield
        gate.touch()
        _until_acknowledged(stage)


@contextmanager
def reserved(stage, folder):
    gate = folder / "reserved"
    with stage.worker():
        hold.delay(str(gate))
        stage.until((folder / "reserved.begun").exists)
        noop.delay()
        yield
        gate.touch()
        _until_acknowledged(stage)


@contextmanager
def of_a_worker_that_was_killed(stage, folder):
    gate = folder / "killed"
    with stage.worker() as worker:
        hold.delay(str(gate))
        stage.until((folder / "killed.begun").exists)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(60)
    yield
    _throw_away(stage)


@contextmanager
def of_a_worker_that_stands_still(stage, folder):
    gate = folder / "still"
    with stage.worker() as worker:
        hold.delay(str(gate))
        stage.until((folder / "still.begun").exists)
        os.killpg(worker.pid, signal.SIGSTOP)
        yield
        gate.touch()
        os.killpg(worker.pid, signal.SIGCONT)
        _until_acknowledged(stage)


@contextmanager
def for_later(stage, _folder):
    with stage.worker():
        noop.apply_async(countdown=3600)
        stage.until(lambda: stage.count(Place.SCHEDULED) == 1)
        yield
    _throw_away(stage)


@contextmanager
def to_be_tried_again(stage, _folder):
    with stage.worker():
        again.delay()
        stage.until(lambda: "1 of them is a retry" in stage.detail(Place.SCHEDULED))
        yield
    _throw_away(stage)


@contextmanager
def delayed(stage, _folder):
    """A quorum queue: what has a countdown waits inside of the broker."""
    send = (
        "from kombu import Exchange, Queue\n"
        "from tests.drain.shop import PREFIX, app, noop\n"
        "name = f'{PREFIX}.quorum'\n"
        "app.conf.task_queues = [Queue(name, Exchange(name, type='topic'), routing_key=name,\n"
        "                              queue_arguments={'x-queue-type': 'quorum'})]\n"
        "app.conf.task_default_queue = name\n"
        "from kombu.transport.native_delayed_delivery import (\n"
        "    bind_queue_to_native_delayed_delivery_exchange as bind,\n"
        "    declare_native_delayed_delivery_exchanges_and_queues as declare)\n"
        "with app.connection_for_write() as connection:\n"
        "    declare(connection, 'quorum')\n"
        "    queue = app.amqp.queues[name](connection.default_channel)\n"
        "    queue.declare()\n"
        "    bind(connection, queue)\n"
        "noop.apply_async(countdown=3600)\n"
    )
    environment = {**os.environ, **stage.environment}
    subprocess.run([sys.executable, "-W", "ignore", "-c", send], env=environment, check=True)
    stage.until(lambda: stage.count(Place.DELAYED) == 1)
    yield
    _purge(stage, *map(level_name, range(MAX_NUMBER_OF_BITS_TO_USE)))
    with stage.app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_delete(f"{PREFIX}.quorum")


@contextmanager
def an_open_chord(stage, folder):
    gate = folder / "chord"
    with stage.worker():
        body = chord([noop.si(), hold.si(str(gate))], noop.s())()
        stage.until((folder / "chord.begun").exists)
        yield
        gate.touch()
        body.get(timeout=120)
        _until_acknowledged(stage)


@contextmanager
def an_entry_of_beat(stage, _folder):
    stage.app.conf.beat_schedule = {"nightly": {"task": noop.name, "schedule": 60.0}}
    yield
    stage.app.conf.beat_schedule = {}


@contextmanager
def a_scheduler_of_ones_own(stage, _folder):
    before = stage.app.conf.beat_scheduler
    stage.app.conf.beat_scheduler = "shop.beat:Ours"
    yield
    stage.app.conf.beat_scheduler = before


@contextmanager
def claimed_and_not_sent(stage, folder):
    """A producer that has died between its claim and its send."""
    from offcanvas.cutover import cut_over

    rules = folder / "cutover.toml"
    rules.write_text(
        f'[cutover]\nclaims = "sqlite:///{folder}/claims.db"\n'
        f'[root."{noop.name}"]\nto = "temporal"\nclaims = true\n'
    )
    router = cut_over(stage.app, rules)
    try:
        router.claims.create()
        router.send = lambda *_: None
        order = noop.delay()
        del router.send
        yield
        router.claims.end(order.id, "success", None)
    finally:
        router.close()


def _until_acknowledged(stage):
    """A worker that is killed earlier leaves its last message: it is acknowledged after its end."""
    inspect = stage.app.control.inspect(timeout=1.0)
    stage.until(lambda: (told := inspect.active()) and not any(told.values()))
    time.sleep(1)


def _throw_away(stage):
    """What a worker that was killed has left."""
    if stage.broker == REDIS:
        with stage.app.connection_for_write() as connection, connection.channel() as channel:
            channel.client.delete(channel.unacked_key, channel.unacked_index_key)
    else:  # RabbitMQ puts it back when the connection breaks
        stage.until(lambda: stage.count(Place.READY) == 1)
    _purge(stage, f"{PREFIX}.main")


def _both(state, place, plant, *details, other=None):
    """On both brokers; one detail, or one for each of them."""
    details = details or ("",)
    return [
        Plant(state, REDIS, place, plant, details[0]),
        Plant(state, RABBITMQ, other or place, plant, details[-1]),
    ]


PLANTS = [
    *_both("a message that nobody has taken", Place.READY, ready, f"{PREFIX}.main: 1"),
    Plant("a message in the list of a priority", REDIS, Place.READY, with_a_priority),
    Plant("a message in a queue with priorities", RABBITMQ, Place.READY, in_a_priority_queue),
    Plant("a message in a quorum queue", RABBITMQ, Place.READY, in_a_quorum_queue),
    Plant("a message that waits inside the broker", RABBITMQ, Place.DELAYED, delayed,
          "share these queues"),
    *_both("a message in a queue whose name is computed", Place.OTHER_QUEUES,
           where_names_are_computed, f"{PREFIX}.elsewhere: 1", "computes names"),
    *_both("a task that runs", Place.ACTIVE, running, "tests.drain.shop.hold: 1"),
    *_both("a task that is reserved", Place.RESERVED, reserved, "tests.drain.shop.noop: 1"),
    *_both("a message of a worker that was killed", Place.UNACKNOWLEDGED,
           of_a_worker_that_was_killed, other=Place.READY),
    *_both("a task of a worker that stands still", Place.UNACKNOWLEDGED,
           of_a_worker_that_stands_still, "", "1 consumers, of which 0 answer"),
    *_both("a task whose time has not come", Place.SCHEDULED, for_later,
           "the last is tests.drain.shop.noop at 20"),
    *_both("a retry on its way", Place.SCHEDULED, to_be_tried_again, "1 of them is a retry"),
    *_both("a chord that is open", Place.CHORDS, an_open_chord, "^groups "),
    *_both("an entry of the schedule", Place.BEAT, an_entry_of_beat, "^nightly; "),
    *_both("a scheduler that is nobody's", Place.BEAT, a_scheduler_of_ones_own, "shop.beat:Ours"),
    *_both("an order that is claimed and was never sent", Place.CLAIMS, claimed_and_not_sent,
           "tests.drain.shop.noop: 1"),
]  # fmt: skip
