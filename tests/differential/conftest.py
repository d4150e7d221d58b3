import pytest

import tests.same_examples  # noqa: F401  # loads the profile
from tests.differential import running


@pytest.fixture(scope="session")
def worker():
    """See ``running.worker``."""
    with running.worker() as made:
        yield made


@pytest.fixture(scope="session")
def temporal_worker(worker):
    """See ``running.temporal_worker``."""
    with running.temporal_worker() as engine:
        yield engine


@pytest.fixture(scope="session")
def prefect_worker(worker, prefect_url):
    """See ``running.prefect_worker``."""
    with running.prefect_worker(prefect_url) as engine:
        yield engine
