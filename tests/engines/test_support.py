import re
from dataclasses import fields
from pathlib import Path

import pytest

from offcanvas._run import run
from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import KINDS, Options
from offcanvas.canvas.planner import Deviation
from offcanvas.engines import registry, support, support_page
from offcanvas.engines.features import DEVIATIONS, NOT_FEATURES, Feature
from offcanvas.engines.registry import engine, specs
from offcanvas.engines.spec import EngineSpec
from offcanvas.engines.support import Level, Support, features_of, gaps, require, total
from offcanvas.errors import MissingExtra, UnknownEngine, UnsupportedCanvas
from tests.canvas.shop import flow
from tests.engines.tasks import add, app


@pytest.mark.parametrize("name", specs())
def test_tables_are_total(name):
    table = engine(name).support
    assert tuple(table) == tuple(Feature)
    assert all(cell.note for cell in table.values() if cell.level is not Level.EXACT)


def test_every_node_option_and_deviation_is_a_feature():
    node = lift(flow())
    used = {feature for place in support.walk(node) for feature in features_of(place)}
    assert used <= set(Feature)
    assert {Feature.NODE_CHORD, Feature.OPTION_COUNTDOWN, Feature.OPTION_LINK_ERROR} <= used
    assert len(DEVIATIONS) == len(Deviation)


def test_all_gaps_are_in_one_error():
    rows = total(
        {
            Feature.NODE_MAP: support.unsupported("no loops here; use a group"),
            Feature.OPTION_QUEUE: support.unsupported("one queue only"),
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
    rows = total({Feature.OPTION_QUEUE: support.differs("there is one")})
    assert gaps(lift(flow()), rows) == []


def test_another_serializer_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setitem(app.conf, "task_serializer", "pickle")
    with pytest.raises(UnsupportedCanvas, match="task_serializer=pickle"):
        run(add.s(1))


def test_kinds_options_and_deviations_all_have_a_feature():
    assert {Feature.of_node(word) for word in KINDS} == {
        f for f in Feature if f.startswith("node-")
    }
    options = {item.name for item in fields(Options)} - NOT_FEATURES
    assert {Feature.of_option(name) for name in options} == {
        f for f in Feature if f.startswith("option-")
    }
    assert {Feature.of_deviation(one) for one in Deviation} == set(DEVIATIONS)


def test_slugs_are_short_and_texts_are_said_once():
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one) and len(one) <= 40 for one in Feature)
    texts = [one.text for one in Feature]
    assert len(set(texts)) == len(texts)


def test_a_level_below_exact_needs_a_note():
    with pytest.raises(ValueError, match="needs a note"):
        Support(Level.DIFFERS)


def test_an_unknown_engine_lists_those_there_are():
    with pytest.raises(UnknownEngine, match=r"there are: .*memory"):
        engine("nowhere")


def test_a_missing_extra_is_named(monkeypatch):
    far = EngineSpec("far", "Far", "no_such_library.engine:Engine", "", "'offcanvas[far]'")
    monkeypatch.setattr(registry, "specs", lambda: {"far": far})
    with pytest.raises(MissingExtra, match=r"pip install 'offcanvas\[far\]'"):
        engine("far")


def test_the_page_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "support.md"
    assert page.read_text(encoding="utf-8") == support_page.markdown()
