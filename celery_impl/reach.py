"""Whether the addresses answer, asked before something is begun that would be left half done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from celery import Celery
from celery.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import OperationalError as SQLOperationalError

from shared.errors import UsageError
from shared.settings import Settings, masked

_ANSWERS_WITHIN = 5  # seconds


def reach(app: Celery[Any]) -> None:
    """Return if the broker and, where it is a Redis or a database, the result backend answer.

    Celery itself goes on trying to reach a dead result backend for half a minute and ends with a
    RuntimeError that does not name it.

    Raises:
        UsageError: one of them does not answer, or its address cannot be used; the message says
            which.
    """
    _reach("CELERY_BROKER_URL", str(app.conf.broker_url), partial(_ask_broker, app))
    _reach("CELERY_RESULT_BACKEND", str(app.conf.result_backend), partial(_ask_backend, app))


def _reach(name: str, url: str, ask: Callable[[], object]) -> None:
    try:
        ask()
    except (OperationalError, OSError, AMQPError, RedisError, SQLOperationalError) as error:
        reason = getattr(error, "orig", None) or error  # SQLAlchemy says much besides
        raise UsageError(f"{name}={masked(url)} does not answer: {reason}") from error
    except (KeyError, ValueError, ImportError, ImproperlyConfigured, ArgumentError) as error:
        # A transport, a driver, a port or a database that there is not.
        reason = error.args[0] if error.args else error
        meaning = Settings.model_fields[name.lower()].description
        raise UsageError(f"{name}={masked(url)}: {reason} ({meaning})") from error


def _ask_broker(app: Celery[Any]) -> None:
    # Who answers the call but not the question would be waited for without any limit on Redis.
    redis = str(app.conf.broker_url).startswith("redis")
    patience = {"socket_timeout": _ANSWERS_WITHIN} if redis else {}
    with app.connection_for_write(transport_options=patience) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)


def _ask_backend(app: Celery[Any]) -> None:
    backend: Any = app.backend
    if hasattr(backend, "ResultSession"):
        backend.ResultSession().close()
    elif hasattr(getattr(backend, "client", None), "ping"):
        backend.client.ping()
