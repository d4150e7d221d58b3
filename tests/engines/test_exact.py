"""The rows of the support table that say "exact", in this process, in the pool and on Celery."""

import asyncio
import time
from importlib import import_module

import pytest
from celery import VERSION

from offcanvas._reroute import reroute
from offcanvas._run import run
from offcanvas.celery_app.planning import Submission
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.registry import engine, specs
from offcanvas.engines.support import Level
from tests.engines.apart import app
from tests.engines.exact import (
    ALONE,
    ALONE_ONLY,
    CANVASES_ONLY,
    CASES,
    ELSEWHERE,
    INSIDE,
    NOT_CELERY,
    Exact,
)

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::celery.exceptions.CPendingDeprecationWarning",
        "ignore::offcanvas.errors.CanvasWarning",
    ),
    pytest.mark.skipif(VERSION < (5, 7), reason="exact is as Celery 5.7"),
]


@pytest.mark.parametrize("name", [one for one in specs() if one != "celery"])
def test_every_row_that_says_exact_is_held_alone_and_inside_a_canvas(name):
    exact = {one for one, row in engine(name).support.items() if row.level is Level.EXACT}
    held = {key[:2] for key in CASES}
    for feature in exact - ELSEWHERE - {one for one in exact if one.startswith("older-")}:
        assert (feature, INSIDE) in held or feature in ALONE_ONLY
        assert (feature, ALONE) in held or feature in CANVASES_ONLY


@pytest.mark.parametrize("name", ["temporal", "prefect"])
def test_the_suite_runs_there(name):
    suite = getattr(import_module(f"tests.engines.{name}.test_exact"), f"TestOn{name.title()}")
    assert suite.test_row is Exact.test_row


class TestInMemory(Exact):
    """See `Exact`."""

    @pytest.fixture
    def on_engine(self):
        return run


@pytest.fixture(scope="class")
def pooled():
    with private_results(app), reroute(app, to="memory") as switch:
        yield switch


class TestInThePool(Exact):
    """In processes apart, as in a worker."""

    @pytest.fixture
    def on_engine(self, pooled):
        def in_the_pool(canvas, **options):
            result = canvas.apply_async(**options)
            pooled.target._wait(asyncio.sleep(0))  # it has been begun
            while pooled.target._walks:
                time.sleep(0.01)
            return outcome_of(result, timeout=1.0, interval=0.05)

        return in_the_pool


@pytest.fixture(scope="class")
def on_celery():
    chosen = engine("celery")
    with chosen.session(app) as session:
        yield lambda canvas, **options: session(
            chosen.plan(Submission(app, canvas, options=options, timeout=60))
        )


@pytest.mark.servers
class TestOnCelery(Exact):
    """A real worker: the answers are Celery's own, but for what it documents and does not do."""

    @pytest.fixture
    def on_engine(self, on_celery):
        return on_celery

    @pytest.mark.parametrize(
        "name", [one for one in CASES if one[0] not in NOT_CELERY], ids=" ".join
    )
    def test_row(self, on_engine, name, path):
        super().test_row(on_engine, name, path)
