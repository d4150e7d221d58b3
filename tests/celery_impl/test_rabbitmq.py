"""The hardened profile on RabbitMQ: confirms, a quorum queue, retries that wait in the broker."""

from collections.abc import Iterator

import pytest
from amqp.exceptions import PreconditionFailed

from celery_impl.app import connect
from celery_impl.health import load
from celery_impl.profiles import QUEUE
from celery_impl.tasks import generate_roll
from offcanvas.servers import redis
from shared import steps
from shared.contract import Outcome
from shared.variants import OBJECTION
from tests.celery_impl.places import BOOK, Place, attempts, place, register

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def rabbit(rabbitmq_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("rabbit")
    with redis() as results:
        urls = {"CELERY_BROKER_URL": rabbitmq_url, "CELERY_RESULT_BACKEND": results.url}
        with place(folder, urls) as found:
            register(**BOOK)
            yield found
            with connect().connection_for_write() as connection:
                connection.default_channel.queue_delete(QUEUE)


def declare(channel, kind: str) -> None:
    """RabbitMQ refuses to declare a queue that is there with other properties."""
    channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": kind})


def test_a_chord_on_a_quorum_queue(rabbit: Place) -> None:
    assert rabbit.run("chord_by_station")[2] == Outcome(total_pages=15)
    with connect().connection_for_write() as connection, connection.channel() as channel:
        declare(channel, "quorum")
        assert connection.connection.confirm_publish
    with (
        connect().connection_for_write() as connection,
        connection.channel() as channel,
        pytest.raises(PreconditionFailed, match="x-queue-type"),
    ):
        declare(channel, "classic")


def test_the_error_callback_is_called_once(rabbit: Place) -> None:
    run_id, _, outcome = rabbit.run("error_in_header")
    assert (outcome.error_type, outcome.error_text) == (
        "RollUnderObjection",
        f"station A-1: {OBJECTION}",
    )
    assert attempts(run_id, steps.ON_ERROR) == [1]


def test_a_retry_comes_back_by_way_of_the_broker(rabbit: Place, eventually) -> None:
    steps.begin_run("passes", "group", "celery")
    steps.assign_all("passes")
    steps.rolls_folder("passes").parent.mkdir(parents=True, exist_ok=True)
    steps.rolls_folder("passes").write_text("in the way")
    # Celery draws each wait from 0 to the backoff, in whole seconds: one task in thirty draws three
    # zeros, and has failed for good before anybody can clear its way.
    results = [generate_roll.si("passes", "B-1").apply_async() for _ in range(8)]
    eventually(lambda: any(result.state == "RETRY" for result in results))
    steps.rolls_folder("passes").unlink()
    outcomes = [rabbit.client.wait(result.id, 300) for result in results]
    assert Outcome(total_pages=1) in outcomes
    assert max(attempts("passes", steps.GENERATE)) > 1


def test_a_delayed_message_does_not_occupy_a_worker(rabbit: Place, eventually) -> None:
    steps.begin_run("delayed", "group", "celery")
    generate_roll.si("delayed", "A-1").apply_async(countdown=600)
    assert rabbit.run("chord_by_station")[2] == Outcome(total_pages=15)
    looks = []

    def delayed_alone() -> bool:  # the last task of the chord has told its result, and goes on
        looks.append(load(connect()))
        held = (looks[-1].active, looks[-1].reserved, looks[-1].scheduled)
        return (looks[-1].queued, *held, looks[-1].unacknowledged) == (0, 0, 0, 0, 0)

    eventually(delayed_alone)
    assert looks[-1].delayed == 1
    assert not any(look.idle for look in looks)  # new code would be given it in ten minutes


def test_what_a_consumer_holds_that_does_not_answer_is_unknown(rabbit: Place) -> None:
    with connect().connection_for_read() as connection, connection.channel() as channel:
        # A consumer that is not a worker, and takes nothing: it must not be overlooked.
        channel.basic_qos(0, 1, False)
        channel.basic_consume(QUEUE, callback=lambda _message: None)
        found = load(connect())
    assert found.unacknowledged is None
    assert not found.idle


def test_health_names_broker_and_worker_without_the_password(rabbit: Place) -> None:
    found = rabbit.client.health()
    assert found.reachable
    assert len(found.workers) == 1
    assert found.detail.startswith("broker amqp://")
    assert ":***@" in found.detail
