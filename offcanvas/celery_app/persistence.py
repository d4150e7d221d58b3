"""A result backend that is away, or full, is asked again until it is back.

Celery has the means (``result_backend_always_retry``) and does not use them unless it is told to:
a result that cannot be stored is then lost, and with it whoever waits for it. An engine that walks
a canvas to its end has more to lose, so that its processes always ask again. What an app has set
itself stays as it is.
https://docs.celeryq.dev/en/stable/userguide/configuration.html#result-backend-always-retry
"""

from __future__ import annotations

import errno
import math
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

#: Milliseconds between two tries, at the most; Celery doubles them from 10 on, with jitter.
LONGEST_WAIT = 3_000

_MARK = "_offcanvas_persistent"

#: Errors of the libraries behind Celery's backends that pass when the server is there again, by the
#: names that they share: redis, SQLAlchemy and the database drivers, pymongo, elasticsearch, boto.
_PASSING = frozenset(
    {
        *("ConnectionError", "TimeoutError", "OperationalError", "InterfaceError"),
        *("AutoReconnect", "ServerSelectionTimeoutError", "NoHostAvailable"),
        *("ConnectionTimeout", "EndpointConnectionError", "ServiceUnavailable"),
    }
)
_PASSING_ERRNOS = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.EBUSY),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR, errno.EPIPE),
        *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
        *(errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN),
    }
)
#: What Redis answers while it cannot take a write: out of memory, out of disk space, loading its
#: data, without its replicas, failing over. https://redis.io/docs/latest/develop/reference/
_REDIS_SAYS = (
    *("OOM", "MISCONF", "LOADING", "NOREPLICAS", "READONLY", "MASTERDOWN", "CLUSTERDOWN"),
    *("TRYAGAIN", "BUSY", "max number of clients", "command not allowed when used memory"),
)


def make_persistent(backend: Any) -> None:
    """Have ``backend`` store and read again until it can, unless the app says how often."""
    if getattr(backend, _MARK, False) or backend.always_retry:
        return
    known = backend.exception_safe_to_retry

    def safe_to_retry(error: Exception) -> bool:
        again = bool(known(error)) or passes(error)
        if again:
            _let_django_reconnect()
        return again

    backend.always_retry = True
    backend.max_retries = math.inf
    backend.max_sleep_between_retries_ms = LONGEST_WAIT
    backend.exception_safe_to_retry = safe_to_retry
    setattr(backend, _MARK, True)


def passes(error: Exception) -> bool:
    """Whether the same may succeed later: the backend is away or full, and the value is not at
    fault.
    """
    if isinstance(error, OSError) and (error.errno in _PASSING_ERRNOS or error.errno is None):
        return True
    if isinstance(error, socket.gaierror):
        return True
    if any(kind.__name__ in _PASSING for kind in type(error).__mro__):
        return True
    # Of a pipeline it says first which command it was, with all that was to be stored.
    said = str(error).rpartition("caused error: ")[2]
    return type(error).__module__.startswith("redis") and said.startswith(_REDIS_SAYS)


def persistently(backend: Any, work: Callable[[], Result]) -> Result:
    """``work()``, for operations that Celery does not try again itself."""
    wait = 0.01
    while True:
        try:
            return work()
        except Exception as error:
            if not (backend.always_retry and backend.exception_safe_to_retry(error)):
                raise
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT / 1_000)


def _let_django_reconnect() -> None:
    # Django opens no new connection in the place of one that is broken until it is told to look.
    database = sys.modules.get("django.db")
    for connection in () if database is None else database.connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
