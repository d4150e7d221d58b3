"""One broker and one worker for all tests of the implementation."""

import time
from collections.abc import Callable, Iterator

import pytest

from celery_impl.app import connect
from offcanvas.servers import redis
from tests.celery_impl.places import BOOK, Place, place, register


@pytest.fixture(scope="package")
def _workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A hardened worker on Redis and SQLite; three centers, one of them empty, three stations."""
    with redis() as server, place(tmp_path_factory.mktemp("work"), server.environment) as found:
        register(**BOOK)
        yield found


@pytest.fixture
def work(_workshop: Place) -> Place:
    """The worker above, with this process on its addresses, whichever the test before was on."""
    connect()
    return _workshop


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition; the test fails if it does not come true in five minutes."""

    def wait_for(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 300
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            time.sleep(0.05)

    return wait_for
