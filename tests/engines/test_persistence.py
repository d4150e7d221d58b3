"""Which errors of a result backend pass, and are waited out, and which are the value's own."""

import errno
import math
import os
import socket
import sqlite3

import pytest
from celery import Celery
from kombu.exceptions import EncodeError
from redis import exceptions as redis
from sqlalchemy import exc as sql

from offcanvas.celery_app.persistence import make_persistent, passes, persistently


def number(code):
    return OSError(code, os.strerror(code))


class AutoReconnect(Exception):  # noqa: N818  # as pymongo calls it
    """Of a library that is not installed here."""


class NotPrimary(AutoReconnect):
    """What descends from it passes too."""


PASS = [
    redis.ConnectionError("Error 111 connecting"),
    redis.TimeoutError("Timeout reading from socket"),
    redis.BusyLoadingError("LOADING Redis is loading the dataset in memory"),
    redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
    redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
    redis.ResponseError("Command # 1 (SET key ONE OF MANY) of pipeline caused error: OOM command"),
    redis.ReadOnlyError("READONLY You can't write against a read only replica."),
    redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
    redis.ClusterDownError("CLUSTERDOWN The cluster is down"),
    sql.OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked")),
    sql.InterfaceError("INSERT", {}, Exception("connection already closed")),
    ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    ConnectionResetError(),
    TimeoutError(),
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    *map(number, (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.EROFS)),
    *map(number, (errno.ESTALE, errno.EPIPE, errno.ENETUNREACH, errno.EHOSTUNREACH)),
    OSError("of a library, without a number"),
    NotPrimary("stepping down"),
]
STAY = [
    redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    # A value that speaks of what passes is no reason to wait.
    redis.ResponseError("Command # 1 (SET key OOM LOADING) of pipeline caused error: WRONGTYPE x"),
    sql.IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed")),
    sql.DataError("INSERT", {}, Exception("value too long")),
    ValueError("OOM"),
    KeyError("LOADING"),
    EncodeError("Object of type object is not JSON serializable"),
    UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed"),
    RecursionError("maximum recursion depth exceeded"),
    *map(number, (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENAMETOOLONG)),
]


@pytest.mark.parametrize("error", PASS, ids=repr)
def test_what_passes_is_waited_out(error):
    assert passes(error)


@pytest.mark.parametrize("error", STAY, ids=repr)
def test_what_stays_is_raised(error):
    assert not passes(error)


@pytest.fixture
def backend(tmp_path, monkeypatch):
    monkeypatch.setattr("offcanvas.celery_app.persistence.LONGEST_WAIT", 1)
    app = Celery("kept", backend=f"file://{tmp_path}", set_as_current=False)
    return app.backend


def failing(backend, errors):
    """The backend raises these, and then stores; what it was asked to store, each time."""
    asked, original = [], backend.set

    def store(key, value):
        asked.append(key)
        if errors:
            raise errors.pop(0)
        original(key, value)

    backend.set = store
    return asked


def test_a_result_is_stored_again_until_it_can_be(backend):
    make_persistent(backend)
    asked = failing(backend, [number(errno.ENOSPC), redis.ConnectionError(), number(errno.EIO)])
    backend.store_result("one", 1, "SUCCESS")
    assert backend.get_result("one") == 1
    assert len(asked) == 4


def test_a_result_that_cannot_be_stored_is_told_at_once(backend):
    make_persistent(backend)
    asked = failing(backend, [ValueError("no")] * 2)
    with pytest.raises(ValueError, match="no"):
        backend.store_result("one", 1, "SUCCESS")
    assert len(asked) == 1
    with pytest.raises(ValueError, match="other"):
        persistently(backend, lambda: (_ for _ in ()).throw(ValueError("other")))


def test_what_an_app_has_set_itself_stays(tmp_path):
    own = Celery("own", backend=f"file://{tmp_path}", set_as_current=False)
    own.conf.update(result_backend_always_retry=True, result_backend_max_retries=2)
    make_persistent(own.backend)
    assert own.backend.max_retries == 2
    other = Celery("other", backend=f"file://{tmp_path}", set_as_current=False)
    make_persistent(other.backend)
    assert other.backend.max_retries == math.inf


def test_what_celery_does_not_try_again_itself_is_tried_again(backend):
    make_persistent(backend)
    errors = [redis.TimeoutError(), number(errno.ENOSPC)]

    def work():
        if errors:
            raise errors.pop(0)
        return "done"

    assert persistently(backend, work) == "done"
