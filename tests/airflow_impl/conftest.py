"""Airflow's environment, and one server and one worker for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_impl.environment import program
from comparisons.airflow_server import airflow as start_airflow
from offcanvas.servers import Server
from shared.errors import UsageError
from tests.equivalence.stack import Stack, running
from tests.services import unavailable


@pytest.fixture(scope="session")
def airflow_program() -> Path:
    """The `airflow` command of its environment."""
    try:
        return program()
    except UsageError as error:
        unavailable("Airflow", error)


@pytest.fixture(scope="package")
def airflow_server(airflow_program: Path) -> Iterator[Server]:
    """API server and DAG processor, on PostgreSQL where it is installed."""
    del airflow_program  # it is there: that is what counts
    with start_airflow() as server:
        yield server


@pytest.fixture(scope="package")
def stack(airflow_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A scheduler with two processes, and a roll book in SQLite."""
    folder: Path = tmp_path_factory.mktemp("airflow")
    environment = {"DATABASE_URL": f"sqlite:///{folder / 'voters.db'}"}
    with running(folder, environment, [airflow_server], ["airflow"]) as found:
        yield found
