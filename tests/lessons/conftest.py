"""One RabbitMQ and one Redis for all lessons; a worker for those that do it no lasting harm."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from offcanvas.servers import Server, rabbitmq, redis, start_together
from tests.lessons.school import Class, class_of

Enrol = Callable[..., Class]


@pytest.fixture(scope="package")
def servers() -> Iterator[tuple[Server, Server]]:
    """Private ones: lessons freeze and kill them."""
    with start_together(rabbitmq, redis) as (broker, results):
        yield broker, results


@pytest.fixture
def enrol(servers: tuple[Server, Server], tmp_path: Path) -> Iterator[Enrol]:
    """`enrol("naive")`: a class on RabbitMQ without a worker yet; `broker=` for another broker."""
    rabbit, results = servers
    with ExitStack() as stack:

        def start(profile: str, broker: str = rabbit.url, **given: object) -> Class:
            return stack.enter_context(class_of(profile, broker, results.url, tmp_path, **given))

        yield start


@pytest.fixture(scope="package")
def staffed(
    servers: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Class]]:
    """`staffed("naive")`: a class with a worker, one for all lessons that ask for it."""
    rabbit, results = servers
    known: dict[str, Class] = {}
    with ExitStack() as stack:

        def find(profile: str) -> Class:
            if profile not in known:
                folder = tmp_path_factory.mktemp("staffed")
                known[profile] = stack.enter_context(
                    class_of(profile, rabbit.url, results.url, folder)
                )
                known[profile].start_worker()
            return known[profile]

        yield find
