"""What explains a difference is a row of the support table, and touches what it says it does."""

from offcanvas.engines.support import FEATURES
from tests.differential import quirks
from tests.differential.specs import Call, Chorded, Example, Many


def test_every_quirk_is_a_row_of_the_support_table():
    told = {quirk.row for quirk in quirks.QUIRKS if quirk not in quirks.OLDER}
    assert told <= set(FEATURES)


def test_a_canvas_in_which_nothing_fails_has_only_quirks_of_empty_parts_and_replacements():
    plain = Chorded((Many("chain", (Call("echo"), Many("group", (Call("echo"),)))),), Call("echo"))
    assert not any(quirk.touches(Example(plain)) for quirk in quirks.QUIRKS)
