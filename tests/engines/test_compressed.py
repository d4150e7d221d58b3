"""Apps that write values in a way of their own, and classes that are registered late.

``result_compression``: what is read from the result backend is not always JSON.
"""

from pathlib import Path

import pytest
from celery import VERSION, chain, chord

from offcanvas._reroute import reroute
from offcanvas._run import run
from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.outcome import outcome_of
from tests.engines.compressed import (
    LATE,
    Late,
    added,
    app,
    fails,
    length,
    moved,
    retried,
    twice,
)
from tests.engines.points import Point, write_json, write_points

pytestmark = [
    pytest.mark.skipif(VERSION < (5, 7), reason="there is no result_compression"),
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]

LONG = "x" * 100_000


@pytest.fixture
def points(monkeypatch):
    monkeypatch.setenv(LATE, "1")
    write_points(app)
    yield
    write_json(app)
    app.tasks.pop(Late.name, None)


def values(run):
    """What tasks of the app come to by ``run``."""
    failed = run(fails.s())
    assert repr(failed.error) == "ValueError('no')"
    assert repr(run(chain(twice.s("a"), fails.s())).error) == "ValueError('no', 'aa')"
    in_header = run(chord([fails.s(), twice.s("a")], length.s())).error
    assert "ValueError('no')" in repr(in_header)  # its own, or the body's that names it
    assert run(chain(twice.s(LONG), retried.s(), length.s())).get() == 200_000
    assert run(chord([twice.s(LONG), twice.s("a")], length.s())).get() == 200_010


def of_its_own(run):
    """Values that only the app's own serializer writes, in all that passes them on."""
    assert run(chain(moved.s(Point(1), 2), moved.s(10))).get().x == 13
    assert run(chord([moved.s(Point(1), 2), moved.s(Point(5), by=0)], added.s())).get() == 8
    assert run(chain(moved.s(Point(1), 2), retried.s(), moved.s(1))).get().x == 4


def test_in_memory(points):
    values(run)
    of_its_own(run)


@pytest.mark.parametrize(
    "name",
    [
        "memory",
        pytest.param("temporal", marks=pytest.mark.servers),
        pytest.param("prefect", marks=[pytest.mark.servers, pytest.mark.long]),
    ],
)
def test_on_an_engine(name, points):
    given = {} if name == "memory" else {"private": True}

    def on_engine(canvas):
        return outcome_of(canvas.apply_async(), timeout=60.0, interval=0.05)

    with private_results(app), reroute(app, to=name, **given):
        assert app.backend.compression == "gzip"
        values(on_engine)
        stored = list(Path(app.backend.path.decode()).iterdir())
        assert stored
        assert max(one.stat().st_size for one in stored) < 10_000
        of_its_own(on_engine)
        # A class with retries of its own that is registered when the app is rerouted already.
        late = app.register_task(Late())
        assert late.delay(Point(1)).get(timeout=60).x == 2
        assert on_engine(chain(moved.s(Point(1), 2), late.s())).get().x == 4
