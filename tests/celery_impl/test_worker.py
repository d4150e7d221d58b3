"""A worker that is told to stop ends the step in hand, and loses and repeats nothing."""

import signal
from pathlib import Path

import psutil
import pytest

from celery_impl.app import connect
from celery_impl.client import Client
from celery_impl.health import load
from offcanvas.servers import redis
from tests.celery_impl.places import place

pytestmark = pytest.mark.servers


def test_sigterm_lets_the_step_end_and_leaves_the_next_to_others(
    tmp_path: Path, eventually
) -> None:
    with redis() as server, place(tmp_path, server.environment, concurrency=1) as found:
        pool = psutil.Process(found.worker.pid).children(recursive=True)
        execution = found.client.start("fib33:30", "stopped")
        eventually(lambda: found.client.spans(execution) and _begun(found.client, execution))
        found.worker.send_signal(signal.SIGTERM)
        assert found.worker.wait(300) == 0
        assert not any(child.is_running() for child in pool)
        # Each step sends the next: what has ended is known, and one message is left of the chain.
        items = [span.item for span in found.client.spans(execution)]
        assert items == [str(number) for number in range(len(items))]
        assert len(items) < 30
        left = load(connect())
        assert (left.queued, left.unacknowledged, left.workers) == (1, 0, ())


def _begun(client: Client, execution: str) -> bool:
    """Whether the worker knows that a process has begun a step that has not ended.

    While it does not know, a warm shutdown gives the step back to the broker, and it runs again.
    """
    ended = {span.item for span in client.spans(execution)}
    told = connect().control.inspect(limit=1).active() or {}
    return any(str(step["args"][0]) not in ended for steps in told.values() for step in steps)
