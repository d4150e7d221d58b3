"""The suite of every engine on Temporal, and what a caller meets there."""

import pytest
from celery import chord

from offcanvas._run import run
from offcanvas.errors import EngineUnavailable
from offcanvas.testing.suite import NESTED, SIMPLE, Canvases
from tests.engines.apart import add, total

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


class TestOnTemporal(Canvases):
    """See `Canvases`."""

    @pytest.mark.parametrize(("canvas", "value"), [*SIMPLE, *NESTED])
    def test_values(self, on_engine, canvas, value):
        assert on_engine(canvas).get() == value


def test_run_brings_everything_it_needs():
    assert run(chord([add.s(1), add.s(2)], total.s()), on="temporal", timeout=300).get() == 5


def test_a_server_that_is_down_is_named(monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    with pytest.raises(EngineUnavailable, match=r"127\.0\.0\.1:1.*set TEMPORAL_ADDRESS$"):
        run(add.s(1), on="temporal")
