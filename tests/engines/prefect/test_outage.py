"""The result backend, or the worker, is away for a while on Prefect."""

import pytest

from offcanvas.engines.prefect.private_worker import private_worker
from tests.engines.apart import app
from tests.engines.outage import WAYS, results_in_redis, runs_through

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def storing(prefect_url):
    with results_in_redis() as server, private_worker(app, prefect_url, processes=2) as calls:
        yield calls, server


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_or_done_twice(storing, way, tmp_path):
    calls, server = storing
    runs_through(way, server, lambda plan: calls.start(app, plan), calls.finish, tmp_path)
