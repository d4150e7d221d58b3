"""A clean environment for every test, and the databases and services that tests ask for."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from offcanvas.servers import prefect
from shared.settings import Settings, settings
from tests.services import database_at, private_postgres, private_rabbitmq, private_redis


def pytest_configure() -> None:
    """Forget the developer's own settings, before any fixture of any scope sets some.

    And those of the make that started the tests: one that a test starts is not its child.
    """
    ours = {field.upper() for field in Settings.model_fields}
    ours |= {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "ARGS"}
    for name in [name for name in os.environ if name.upper() in ours]:
        del os.environ[name]
    Settings.model_config["env_file"] = None
    # A worker that asks for work costs a Prefect server 35 ms of CPU each time, and private workers
    # ask four times a second: most of what these servers did was to answer idle workers.
    os.environ["PREFECT_WORKER_QUERY_SECONDS"] = "1"


@pytest.fixture(autouse=True)
def _settings_are_read_anew() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database for this test session; `postgres_database` also empties it."""
    with private_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis database for this test session, found empty."""
    with private_redis() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """A RabbitMQ virtual host for this test session."""
    with private_rabbitmq() as url:
        yield url


@pytest.fixture(scope="session")
def prefect_url() -> Iterator[str]:
    """The API of a Prefect server for this test session, which takes ten seconds to start."""
    with prefect() as server:
        yield server.url


@pytest.fixture
def queue_prefix() -> str:
    """Begins the names of a test's queues, so that two sessions can share a virtual host."""
    return f"offcanvas-test-{secrets.token_hex(4)}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'voters.db'}"


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[str]:
    """DATABASE_URL names a new SQLite file with empty tables."""
    with database_at(sqlite_url) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """DATABASE_URL names the session's PostgreSQL database, with empty tables."""
    with database_at(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest) -> str:
    """DATABASE_URL names a database with empty tables: once SQLite, once PostgreSQL."""
    kind = "sqlite" if request.param == "sqlite" else "postgres"
    return str(request.getfixturevalue(f"{kind}_database"))
