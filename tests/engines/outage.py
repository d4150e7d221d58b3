"""The result backend goes away, or is full, while a canvas runs: nothing is lost or done twice."""

import time
from contextlib import contextmanager

import pytest
import redis as redis_client
from celery import chord

from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.private_results import backend_set_aside
from offcanvas.servers import redis
from tests.engines.apart import app, note, noted
from tests.engines.files import lines, wait_until

TASKS = 60


@contextmanager
def results_in_redis():
    """The app, with its results in a Redis of its own, which may be killed; yields the server."""
    with (
        redis(persistent=True, tcp=True) as server,
        pytest.MonkeyPatch.context() as patch,
        backend_set_aside(app),
    ):
        patch.setattr(app.conf, "result_backend", server.url)
        yield server


def _gone(server):
    server.kill()
    yield
    server.start()


def _full(server):
    with redis_client.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


def _frozen(server):
    server.freeze()
    yield
    server.thaw()


WAYS = {"gone": _gone, "full": _full, "frozen": _frozen}


def runs_through(way, server, start, finish, folder):
    """A chord of ``TASKS`` and a body; no task is begun while results cannot be stored."""
    path = str(folder / "noted")
    prepared = prepare(app, chord([note.s(number, path) for number in range(TASKS)], noted.s(path)))
    run = start(prepared.plan)
    wait_until(lambda: (folder / "noted").exists() and len(lines(path)) > 10)
    fault = WAYS[way](server)
    next(fault)
    time.sleep(2)  # what had begun ends
    before = lines(path)
    time.sleep(4)
    during = lines(path)
    next(fault, None)
    finish(run)
    assert during == before
    assert len(before) < TASKS
    assert lines(path) == sorted([*map(str, range(TASKS)), "body"])
    assert prepared.result.get(timeout=60) == sum(range(TASKS))
