"""One server, one database and one worker for most tests of this folder."""

from collections.abc import Iterator

import pytest

from temporal_impl.client import Client
from tests.temporal_impl.stage import Stage, stage


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The server and the database, without a worker."""
    with stage(tmp_path_factory.mktemp("temporal")) as started:
        yield started


@pytest.fixture(scope="package")
def client(server: Stage) -> Iterator[Client]:
    """The client, with a worker of two processes at work."""
    with server.worker(2):
        yield server.client
