"""A worker for the tests of this folder."""

import pytest

from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prefect.private_worker import private_worker
from tests.engines.odd import app


@pytest.fixture(scope="package")
def trace(tmp_path_factory):
    """The file that says that ``tests.engines.hostile`` was imported: workers know of it."""
    file = tmp_path_factory.mktemp("trace") / "imported"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OFFCANVAS_TEST_TRACE", str(file))
        yield file


# Not for the session: the tests of Temporal use the same app, and another folder for its results.
@pytest.fixture(scope="package")
def calls(prefect_url, trace):
    with private_results(app), private_worker(app, prefect_url, processes=2) as calls:
        yield calls


@pytest.fixture
def on_engine(calls):
    """Runs a canvas to its end, with all it starts, and gives the outcome."""

    def run(canvas, *args, **options):
        prepared = sent(app, prepare(app, canvas, args, {}, options), asked=False)
        if prepared.plan is not None:
            assert calls.finish(calls.start(app, prepared.plan), timeout=300)
        return outcome_of(prepared.result, timeout=0.2, interval=0.05)

    return run
