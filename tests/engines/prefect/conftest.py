"""A worker for the tests of this folder."""

import pytest

from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prefect.run import deployment
from offcanvas.engines.prepare import prepare
from offcanvas.engines.private_results import private_results
from tests.engines.apart import app


# Not for the session: the tests of Temporal use the same app, and another folder for its results.
@pytest.fixture(scope="package")
def calls(prefect_url):
    with private_results(app), deployment(app, prefect_url, processes=2) as calls:
        yield calls


@pytest.fixture
def on_engine(calls):
    """Runs a canvas to its end, with all it starts, and gives the outcome."""

    def run(canvas, *args, **options):
        prepared = prepare(app, canvas, args, {}, options)
        if prepared.plan is not None:
            assert calls.finish(calls.start(app, prepared.plan), timeout=300)
        return outcome_of(prepared.result, timeout=0.2, interval=0.05)

    return run
