"""A Temporal server and a worker with the plugin, for the whole session."""

import pytest

from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.servers import temporal
from tests.engines.odd import app


@pytest.fixture(scope="session")
def address():
    with temporal() as server:
        yield server.url


@pytest.fixture(scope="session")
def calls(address):
    with private_results(app), private_worker(app, address, processes=2) as calls:
        yield calls


@pytest.fixture
def on_engine(calls):
    """Runs a canvas to its end, with all it starts, and gives the outcome."""

    def run(canvas, *args, **options):
        prepared = sent(app, prepare(app, canvas, args, {}, options), asked=False)
        if prepared.plan is not None:
            assert calls.walk(app, prepared.plan, timeout=300)
        return outcome_of(prepared.result, timeout=0.2, interval=0.05)

    return run
