"""A Temporal server and a worker with the plugin, for the whole session."""

import pytest

from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prepare import prepare
from offcanvas.engines.private_results import private_results
from offcanvas.engines.temporal.run import deployment
from offcanvas.servers import temporal
from tests.engines.apart import app


@pytest.fixture(scope="session")
def address():
    with temporal() as server:
        yield server.url


@pytest.fixture(scope="session")
def calls(address):
    with private_results(app), deployment(app, address, processes=2) as calls:
        yield calls


@pytest.fixture
def on_engine(calls):
    """Runs a canvas to its end, with all it starts, and gives the outcome."""

    def run(canvas, *args, **options):
        prepared = prepare(app, canvas, args, {}, options)
        if prepared.plan is not None:
            assert calls.walk(app, prepared.plan, timeout=300)
        return outcome_of(prepared.result, timeout=0.2, interval=0.05)

    return run
