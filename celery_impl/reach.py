"""Whether the addresses answer, asked before something is begun that would be left half done."""

from __future__ import annotations

from typing import Any

from amqp.exceptions import AMQPError
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.errors import UsageError
from shared.settings import masked


def reach(app: Celery[Any]) -> None:
    """Return if the broker and, where it is a Redis, the result backend answer.

    Celery itself goes on trying to reach a dead result backend for half a minute and ends with a
    RuntimeError that does not name it.

    Raises:
        UsageError: one of them does not answer; the message says which.
    """
    url = str(app.conf.broker_url)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except (OperationalError, OSError, AMQPError, RedisError) as error:
        raise UsageError(f"CELERY_BROKER_URL={masked(url)} does not answer: {error}") from error
    except KeyError as error:
        raise UsageError(
            f"CELERY_BROKER_URL={masked(url)}: {error.args[0]}; "
            "use amqp://, redis:// or redis+socket://"
        ) from error
    client = getattr(app.backend, "client", None)
    if client is None or not hasattr(client, "ping"):
        return
    try:
        client.ping()
    except RedisError as error:
        url = str(app.conf.result_backend)
        raise UsageError(f"CELERY_RESULT_BACKEND={masked(url)} does not answer: {error}") from error
