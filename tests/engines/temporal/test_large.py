"""The suite of what is too large for one message, on Temporal."""

import pytest
from celery import chord

from offcanvas.engines.temporal import driver
from tests.engines.apart import echo, length, random_text
from tests.engines.large import Large

pytestmark = pytest.mark.servers


class TestOnTemporal(Large):
    """See `Large`."""

    limited = True

    def test_results_of_chords_in_a_chord(self, on_engine, monkeypatch):
        monkeypatch.setattr(driver, "CARRIED", 2_000)
        monkeypatch.setattr(driver, "PIECE", 3_000)
        inner = [chord([random_text.s(500) for _ in range(8)], echo.s()) for _ in range(4)]
        assert on_engine(chord(inner, length.s()) | echo.s()).get() == [8] * 4
