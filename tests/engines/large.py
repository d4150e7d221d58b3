"""What is too large for one message, where it comes up as a canvas runs: suites for each engine."""

import re

import pytest
from celery import chain

from offcanvas.errors import CanvasTooLarge
from tests.engines.apart import (
    echo,
    fails_with,
    random_text,
    replaced_as,
    retries_large,
    sends_large,
    spells,
)
from tests.engines.files import lines

#: More than Temporal's server takes at a time.
MUCH = 3_000_000
#: What a task may be replaced with, and what comes of it.
REPLACED = {"group": [MUCH, 1], "chord": MUCH + 1, "headers": 1, "link": 1}


class Large:
    """Each comes out as on Celery, or fails with an error that says what is too large."""

    #: Whether the engine's server limits what a task sends.
    limited = False

    def check(self, outcome, expected):
        """Refused where the server has a limit; else it comes out."""
        if self.limited:
            assert isinstance(outcome.error, CanvasTooLarge)
            assert re.search(r"(more than the|takes) [\d,]+ ", str(outcome.error))
        else:
            assert outcome.get() == expected

    @pytest.mark.parametrize("what", ["kwargs", "headers", "link", "link_error"])
    def test_a_retry_with_much(self, on_engine, what):
        expected = MUCH if what == "kwargs" else len(what)
        self.check(on_engine(chain(retries_large.s(what, MUCH), echo.s())), expected)

    @pytest.mark.parametrize("what", ["kwargs", "headers"])
    def test_a_retry_with_much_that_raises_nothing(self, on_engine, what):
        self.check(on_engine(chain(retries_large.s(what, MUCH, throw=False), echo.s())), 0)

    @pytest.mark.parametrize("by", ["map", "chunks"])
    def test_a_map_that_comes_to_much(self, on_engine, by):
        half = MUCH // 2
        canvas = {
            "map": random_text.map([half] * 3),
            "chunks": random_text.chunks([(half,)] * 4, 2),
        }[by]
        found = on_engine(chain(canvas, echo.s())).get()
        texts = found if by == "map" else [text for part in found for text in part]
        assert [len(text) for text in texts] == [half] * (3 if by == "map" else 4)

    @pytest.mark.parametrize("how", REPLACED)
    def test_a_replacement_with_much(self, on_engine, how):
        self.check(on_engine(chain(replaced_as.s(how, MUCH), echo.s())), REPLACED[how])

    @pytest.mark.parametrize("how", ["headers", "chain"])
    def test_a_task_that_sends_much(self, on_engine, how):
        outcome = on_engine(chain(sends_large.s(how, MUCH), echo.s()))
        self.check(outcome, 1 if how == "headers" else MUCH)

    def test_an_errback_after_a_large_error(self, on_engine, path):
        outcome = on_engine(fails_with.s(MUCH).on_error(spells.s(path=path)))
        assert len(outcome.error.args[0]) == MUCH
        assert lines(path) == [f"{MUCH}"]
