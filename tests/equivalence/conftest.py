"""The two stacks: everything embedded, and the services of a production system."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from offcanvas.servers import prefect, redis, start_together, temporal
from tests.equivalence.stack import SHORT, Stack, running
from tests.services import private_postgres, private_rabbitmq, private_redis

#: On the services of a production system the others are left out where everything is run.
ON_SERVICES = SHORT | {"all_in_one"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        callspec = getattr(item, "callspec", None)  # of tests with parameters, in any folder
        given = {} if callspec is None else callspec.params
        if given.get("stack") == "services" and given.get("variant", "starmap") not in ON_SERVICES:
            item.add_marker(pytest.mark.long)


@pytest.fixture(
    scope="package",
    params=[
        pytest.param("embedded", marks=pytest.mark.servers),
        pytest.param("services", marks=[pytest.mark.servers, pytest.mark.services]),
    ],
)
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """SQLite, Redis, Prefect and Temporal; or PostgreSQL and RabbitMQ in place of the first two."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        if request.param == "embedded":
            environment = {"DATABASE_URL": f"sqlite:///{folder / 'voters.db'}"}
            starters = (redis, prefect, temporal)
        else:
            environment = {
                "DATABASE_URL": stack.enter_context(private_postgres()),
                "CELERY_BROKER_URL": stack.enter_context(private_rabbitmq()),
                "CELERY_RESULT_BACKEND": stack.enter_context(private_redis()),
            }
            starters = (prefect, temporal)
        servers = stack.enter_context(start_together(*starters))
        yield stack.enter_context(running(folder, environment, servers))


@pytest.fixture(scope="package", params=["edges", "nobody"])
def book(request: pytest.FixtureRequest, stack: Stack) -> str:
    """The roll book: centers of every awkward size; or no center at all."""
    stack.load(request.param)
    return str(request.param)
