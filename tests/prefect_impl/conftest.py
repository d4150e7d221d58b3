"""One server and one worker for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from offcanvas.servers import Server, prefect
from prefect_impl.client import Client
from shared.database import transaction
from shared.fake import sized
from shared.roll_book import fill
from shared.settings import settings
from tests.prefect_impl.stack import Stack
from tests.services import database_at

SIZES = (0, 41, 1_200, 2_600, 5_000)  # voters a center: 0, 1, 3, 6 and 10 stations


@pytest.fixture(scope="package")
def stack_server() -> Iterator[Server]:
    """The server of `stack`."""
    with prefect() as server:
        yield server


@pytest.fixture(scope="package")
def stack(stack_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Server, roll book and worker."""
    folder: Path = tmp_path_factory.mktemp("prefect")
    server = stack_server
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (server.environment | {"ROLLS_DIR": str(folder / "rolls")}).items():
            patch.setenv(name, value)
        patch.setenv("SILENT_AFTER", "12")  # seconds until a killed worker counts as gone
        with database_at(f"sqlite:///{folder / 'voters.db'}"):
            with transaction() as session:
                fill(session, sized(SIZES))
            found = Stack(Client(), folder, server.url)
            try:
                found.start_worker()
                yield found
            finally:
                if found.process is not None:
                    found.stop_worker()
                found.client.close()
                settings.cache_clear()
