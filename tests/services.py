"""Private rooms in services that are already running: a database, a virtual host, a Redis index.

Nothing that was there before is read, changed or removed. Addresses:

    TEST_POSTGRES_URL   postgresql://postgres@127.0.0.1:5432/postgres   may create databases
    TEST_REDIS_URL      redis://127.0.0.1:6379                          takes an empty database
    TEST_RABBITMQ_URL   amqp://guest:guest@127.0.0.1:5672//             a vhost of its own where
                                                                        `rabbitmqctl` works

A service that does not answer skips its tests, and fails them under OFFCANVAS_REQUIRE_SERVICES=1.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
import redis
from kombu import Connection as BrokerConnection
from kombu.exceptions import OperationalError as BrokerError
from psycopg import sql

from shared.database import create_tables, engine
from shared.models import Base
from shared.settings import settings

_CONNECT_WITHIN = 30  # seconds


def unavailable(service: str, reason: object) -> NoReturn:
    """Skip, or fail where the services are required."""
    message = f"{service} does not answer: {' '.join(str(reason).split())}"
    if os.environ.get("OFFCANVAS_REQUIRE_SERVICES") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@contextmanager
def database_at(url: str) -> Iterator[str]:
    """DATABASE_URL for the length of the block, in this process and in those it starts.

    The tables are there and empty. Works at any fixture scope.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        settings.cache_clear()
        try:
            create_tables()
            empty_tables()
            settings.cache_clear()  # what a test sets after this fixture is to be seen too
            yield url
        finally:
            engine().dispose()
            settings.cache_clear()


def empty_tables() -> None:
    """Remove every row, of the roll book and of the runs."""
    with engine().begin() as connection:
        if connection.dialect.name == "postgresql":
            names = ", ".join(table.name for table in Base.metadata.sorted_tables)
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
        else:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())


@contextmanager
def private_postgres() -> Iterator[str]:
    """The SQLAlchemy address of a database of our own, dropped afterwards.

    Its default collation is a linguistic one where the server knows ICU: an ORDER BY that forgets
    to name its collation is caught, even though the server itself runs under C.UTF-8.
    """
    admin = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    try:
        connection = psycopg.connect(admin, autocommit=True, connect_timeout=_CONNECT_WITHIN)
    except psycopg.OperationalError as error:
        unavailable("PostgreSQL", error)
    name = f"offcanvas_test_{os.getpid()}_{secrets.token_hex(4)}"
    with connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
            sql.Identifier(name)
        )
        try:
            connection.execute(create + sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"))
        except psycopg.Error:  # an older server, or one built without ICU
            connection.execute(create)
        try:
            parts = urlsplit(admin)
            yield urlunsplit(parts._replace(scheme="postgresql+psycopg", path=f"/{name}"))
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def private_redis() -> Iterator[str]:
    """The address of a Redis database that was empty before, and is emptied afterwards."""
    base = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
    named = urlsplit(base).path.strip("/")
    for index in [named] if named else [str(number) for number in range(15, 0, -1)]:
        url = urlunsplit(urlsplit(base)._replace(path=f"/{index}"))
        with redis.Redis.from_url(url, socket_connect_timeout=_CONNECT_WITHIN) as client:
            try:
                # Claimed first and counted after: of two sessions only one gets the key.
                claimed = client.set("offcanvas:tests", os.getpid(), nx=True, ex=3_600)
            except redis.RedisError as error:
                unavailable("Redis", error)
            if not claimed:
                continue
            if client.dbsize() > 1:
                client.delete("offcanvas:tests")
                continue
            try:
                yield url
            finally:
                client.flushdb()
            return
    unavailable("Redis", f"no empty database at {base}")


@contextmanager
def private_rabbitmq() -> Iterator[str]:
    """The address of a virtual host of our own, deleted afterwards.

    Without rights to `rabbitmqctl` it is the host of TEST_RABBITMQ_URL itself: name your queues
    after `queue_prefix`, always.
    """
    base = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
    try:
        with BrokerConnection(base, connect_timeout=_CONNECT_WITHIN) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except (OSError, BrokerError) as error:
        unavailable("RabbitMQ", error)
    name = f"offcanvas-test-{os.getpid()}-{secrets.token_hex(4)}"
    user = urlsplit(base).username or "guest"
    if not (_rabbitmqctl("add_vhost", name)):
        yield base
        return
    try:
        _rabbitmqctl("set_permissions", "-p", name, user, ".*", ".*", ".*")
        yield urlunsplit(urlsplit(base)._replace(path=f"/{quote(name, safe='')}"))
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*arguments: str) -> bool:
    if shutil.which("rabbitmqctl") is None:
        return False
    done = subprocess.run(
        ["rabbitmqctl", "--quiet", *arguments], check=False, capture_output=True, timeout=300
    )
    return done.returncode == 0
