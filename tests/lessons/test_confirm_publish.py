"""confirm_publish: a broker that has not confirmed has promised nothing."""

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from offcanvas.servers import Server
from tests.lessons.conftest import Enrol
from tests.lessons.work import profile_of

pytestmark = pytest.mark.servers

CALLS = 5


def present(broker: Server, queue: str) -> int:
    """Messages that are ready in the queue, over a connection of our own."""
    with Connection(broker.url) as connection:
        return int(connection.default_channel.queue_declare(queue, passive=True).message_count)


def test_naive_believes_a_frozen_broker_and_loses_what_it_was_given(
    enrol: Enrol, servers: tuple[Server, Server]
) -> None:
    broker, _ = servers
    naive = enrol("naive")
    naive.send("work", "warm")  # the connection is open and works
    broker.freeze()
    accepted = [naive.send("work", f"silent-{number}").id for number in range(CALLS)]
    assert len(accepted) == CALLS  # no error
    broker.restart(kill=True)
    assert present(broker, naive.queue) <= 1  # at the most the first, which had been written


def test_hardened_takes_silence_for_no(enrol: Enrol, servers: tuple[Server, Server]) -> None:
    broker, _ = servers
    options = profile_of("hardened", broker.url, "").settings["broker_transport_options"]
    assert options["read_timeout"] > 0  # seconds; less of them here
    impatient = {**options, "read_timeout": 2.0, "write_timeout": 2.0}
    hardened = enrol("hardened", changes={"broker_transport_options": impatient})
    hardened.send("work", "warm")
    broker.freeze()
    for number in range(2):
        # `celery_impl.base` gives every call of the voter rolls a limit for the confirm.
        with pytest.raises(OperationalError, match="timed out"):
            hardened.send("work", f"silent-{number}", confirm_timeout=1.0, retry=False)
    broker.thaw()
    hardened.send("work", "heard", confirm_timeout=120.0)
    assert present(broker, hardened.queue) >= 2  # what was accepted; refused ones may have arrived
