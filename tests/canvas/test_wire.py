import json
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from celery import chord, group

from offcanvas.canvas import wire
from offcanvas.canvas.lift import lift
from offcanvas.errors import BadWire, UnserialisableValue
from tests.canvas.shop import flow, load, price


def test_round_trip():
    node = lift(flow())
    assert wire.loads(wire.dumps(node)) == node


def test_a_chord_without_a_body_is_written_as_well():
    node = lift(chord([price.s(1)]))
    assert node.body is None
    assert wire.loads(wire.dumps(node)) == node


def test_defaults_are_left_out():
    document = json.loads(wire.dumps(lift(price.s(1))))
    assert document == {
        "offcanvas": 1,
        "canvas": {"kind": "task", "name": "orders.price", "args": [1]},
    }


def test_values_that_kombu_carries_come_back():
    args = [date(2026, 11, 22), Decimal("1.50"), UUID(int=5), b"\x00"]
    node = lift(load.s(args))
    assert wire.loads(wire.dumps(node)) == node


@pytest.mark.parametrize("width", [wire.PAGE + 1, 2 * wire.PAGE, 5 * wire.PAGE - 1])
def test_a_wide_group_comes_back_in_pages(width: int):
    node = lift(group(price.s(number) for number in range(width)))
    read = wire.node_of(json.loads(json.dumps(wire.plain(node, paged=True))))
    assert isinstance(read.members, wire.Pages)
    assert len(read.members) == width
    assert read == node
    assert [one.args for one in read.members] == [(number,) for number in range(width)]
    assert read.members[width - 1].args == (width - 1,)
    assert [one.args for one in read.members[98:103]] == [(n,) for n in range(98, min(103, width))]
    assert wire.plain(read) == wire.plain(node)
    assert wire.plain(read, paged=True) == wire.plain(node, paged=True)


def test_no_page_has_more_than_there_is():
    members = wire.node_of(wire.plain(_wide(), paged=True)).members
    with pytest.raises(IndexError):
        members[len(members)]


def _wide():
    return lift(group(price.s(number) for number in range(3 * wire.PAGE)))


def test_opaque_values_write_the_same_text():
    text = wire.dumps(lift(load.s([date(2026, 11, 22)])))
    opaque = wire.loads(text, opaque=True)
    assert opaque.args == ([{"__type__": "date", "__value__": "2026-11-22"}],)
    assert wire.dumps(opaque) == text


def test_a_value_that_json_refuses():
    with pytest.raises(UnserialisableValue, match="value that JSON cannot carry"):
        wire.dumps(lift(load.s(object())))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a canvas of offcanvas"),
        (
            '{"offcanvas": 99, "canvas": {}}',
            "written as version 99, this offcanvas reads version 1",
        ),
        (
            '{"offcanvas": 1, "canvas": {"kind": "spiral"}}',
            "expected a node with a kind among task",
        ),
        ('{"offcanvas": 1, "canvas": {"kind": "task"}}', "a task with wrong fields"),
        ('{"offcanvas": 1, "canvas": {"kind": "chain", "steps": [7]}}', "got 7"),
    ],
)
def test_text_that_is_no_canvas(text, says):
    with pytest.raises(BadWire) as raised:
        wire.loads(text)
    assert says in str(raised.value)
