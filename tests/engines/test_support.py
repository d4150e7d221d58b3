from pathlib import Path

import pytest

from offcanvas.canvas.lift import lift
from offcanvas.canvas.rules import Deviation
from offcanvas.engines import support
from offcanvas.engines.base import ENGINES, engine
from offcanvas.engines.support import FEATURES, Level, Support, features_of, gaps, require, total
from offcanvas.errors import MissingExtra, UnknownEngine, UnsupportedCanvas
from offcanvas.run import run
from tests.canvas.shop import flow
from tests.engines.tasks import add, app


@pytest.mark.parametrize("name", ENGINES)
def test_tables_are_total(name):
    table = engine(name).support
    assert tuple(table) == FEATURES
    assert all(cell.note for cell in table.values() if cell.level is not Level.EXACT)


def test_every_node_option_and_deviation_is_a_feature():
    node = lift(flow())
    used = {feature for place in support.walk(node) for feature in features_of(place)}
    assert used <= set(FEATURES)
    assert {"node: chord", "option: countdown", "option: link_error"} <= used
    assert len([row for row in FEATURES if row.startswith("deviation")]) == len(Deviation)


def test_all_gaps_are_in_one_error():
    rows = total(
        {
            "node: map": support.unsupported("no loops here; use a group"),
            "option: queue": support.unsupported("one queue only"),
        }
    )
    with pytest.raises(UnsupportedCanvas) as raised:
        require("toy", lift(flow()), rows)
    assert [gap.where for gap in raised.value.gaps] == ["chain[0]", "chain[1].body[2][1]"]
    assert str(raised.value).splitlines() == [
        "toy cannot run this canvas; 2 things are in the way:",
        "  chain[0]: option: queue: one queue only",
        "  chain[1].body[2][1]: node: map: no loops here; use a group",
    ]


def test_what_differs_is_no_gap():
    rows = total({"option: queue": support.differs("there is one")})
    assert gaps(lift(flow()), rows) == []


def test_another_serializer_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setitem(app.conf, "task_serializer", "pickle")
    with pytest.raises(UnsupportedCanvas, match="task_serializer=pickle"):
        run(add.s(1))


def test_rows_that_are_no_features_are_refused():
    with pytest.raises(KeyError, match="no such feature: node: spiral"):
        total({"node: spiral": support.EXACT})


def test_a_level_below_exact_needs_a_note():
    with pytest.raises(ValueError, match="needs a note"):
        Support(Level.DIFFERS)


def test_an_unknown_engine_lists_those_there_are():
    with pytest.raises(UnknownEngine, match=r"there are: .*memory"):
        engine("nowhere")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(ENGINES, "far", ("no_such_library.engine:Engine", "far"))
    with pytest.raises(MissingExtra, match=r"pip install 'offcanvas\[far\]'"):
        engine("far")


def test_the_page_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "support.md"
    assert page.read_text(encoding="utf-8") == support.markdown()
