"""What explains a difference is a row of the support table, and touches what it says it does."""

from collections import Counter

import pytest

from offcanvas.checking.seen import Seen
from offcanvas.engines.features import Feature
from tests.differential import quirks
from tests.differential.specs import Call, Chorded, Example, Many

ECHO, BOOM = Call("echo"), Call("boom")
UNHEARD = Example(Chorded((Chorded((BOOM,), ECHO),), ECHO, (Call("errback"),)))


@pytest.fixture(autouse=True)
def _those_of_the_present_release(monkeypatch):
    present = tuple(quirk for quirk in quirks.QUIRKS if quirk not in quirks.OLDER)
    monkeypatch.setattr(quirks, "QUIRKS", present)


def test_every_quirk_is_a_row_of_the_support_table():
    assert {quirk.row for quirk in (*quirks.QUIRKS, *quirks.OLDER)} <= set(Feature)


def test_a_canvas_in_which_nothing_fails_has_only_quirks_of_empty_parts_and_replacements():
    plain = Chorded((Many("chain", (Call("echo"), Many("group", (Call("echo"),)))),), Call("echo"))
    assert not any(quirk.touches(Example(plain)) for quirk in quirks.QUIRKS)


def _seen(called):
    return Seen(frozenset({"raises KeyError()"}), Counter(), Counter([called] if called else []))


def test_an_outer_chord_is_unheard_only_if_the_header_of_the_inner_one_fails():
    unheard = {quirk for quirk in quirks.QUIRKS if quirk.touches(UNHEARD)}
    inner_body = Chorded((Chorded((ECHO,), BOOM),), ECHO)
    outer_header = Chorded((BOOM, Chorded((ECHO,), ECHO)), ECHO)
    no_header = Many("group", (UNHEARD.canvas.header[0], ECHO))
    assert unheard
    for canvas in (inner_body, outer_header, no_header):
        assert not any(quirk.touches(Example(canvas)) for quirk in unheard)


def test_only_errbacks_of_a_body_that_never_ran_may_be_missing_on_celery():
    of_a_body = _seen('errback("<id>", "ChordError", "()")')
    of_a_task = _seen('errback("<boom>", "TroubleError", "()")')
    of_a_link = _seen("note(1)")
    assert quirks.explained(UNHEARD, _seen(None), of_a_body)
    for more in (of_a_task, of_a_link):
        assert quirks.explained(UNHEARD, _seen(None), more) is None
    assert quirks.explained(UNHEARD, of_a_body, _seen(None)) is None
