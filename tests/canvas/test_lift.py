import json
from datetime import UTC, datetime, timedelta

import pytest
from celery import chain, chord, chunks, group, signature
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.json import dumps, loads

from offcanvas.canvas.lift import lift
from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import Chain, Chord, Chunks, Group, Map, Options, Starmap, Task
from offcanvas.errors import BadCanvas
from tests.canvas.shop import alarm, app, flow, load, price, total


def test_a_task_with_partial_arguments_and_options():
    node = lift(price.s(1, currency="USD").set(queue="slow", priority=3, headers={"a": 1}))
    assert node == Task(
        name="orders.price",
        args=(1,),
        kwargs=(("currency", "USD"),),
        options=Options(queue="slow", priority=3, extra=(("headers", {"a": 1}),)),
    )


def test_immutable_is_kept():
    assert lift(price.si(1)).immutable
    assert not lift(price.s(1)).immutable


def test_the_pipe_is_read_as_celery_made_it():
    node = lift(load.s(1) | group(price.s(), price.s()) | total.s())
    assert isinstance(node, Chain)
    assert [type(step) for step in node.steps] == [Task, Chord]


def test_callbacks_are_nodes_single_or_in_a_list():
    node = lift(load.s(1).set(link=alarm.s(), link_error=[alarm.si(7)]))
    assert node.options.link == (Task(name="ops.alarm"),)
    assert node.options.link_error == (Task(name="ops.alarm", args=(7,), immutable=True),)


def test_a_chord_keeps_partial_arguments_for_its_header():
    node = lift(chord([price.s()], total.s()).clone((5,)))
    assert isinstance(node, Chord)
    assert node.args == (5,)


def test_generators_are_read_to_their_end():
    assert len(lift(group(price.s(number) for number in range(5))).members) == 5
    assert lift(price.map(number for number in range(3))).items == (0, 1, 2)


def test_map_starmap_and_chunks():
    assert isinstance(lift(price.map([1])), Map)
    assert isinstance(lift(price.starmap([(1, "EUR")])), Starmap)
    node = lift(chunks(price.s(), [(1,), (2,), (3,)], 2))
    assert isinstance(node, Chunks)
    assert (node.items, node.size) == (([1], [2], [3]), 2)


def test_ids_of_a_frozen_signature_are_kept():
    canvas = chain(load.s(1), total.s())
    result = canvas.freeze()
    node = lift(canvas)
    assert node.steps[-1].options.task_id == result.id
    assert node.steps[0].options.task_id == result.parent.id


def test_a_frozen_chord_keeps_the_body_once():
    canvas = chord([price.s(1), price.s(2)], total.s())
    canvas.freeze()
    node = lift(canvas)
    assert [member.options.group_index for member in node.header.members] == [0, 1]
    assert all(member.options.extra == () for member in node.header.members)


def test_times_become_seconds_or_iso_text():
    eta = datetime(2026, 11, 22, tzinfo=UTC)
    node = lift(load.s(1).set(eta=eta, expires=60.0))
    assert node.options.eta == "2026-11-22T00:00:00+00:00"
    assert node.options.expires == 60.0


@pytest.mark.parametrize("option", ["countdown", "expires", "eta"])
def test_a_timedelta_is_refused_as_celery_refuses_it(option):
    with pytest.raises(BadCanvas, match=rf"canvas\[0\]\.{option}: .*give seconds, 60$"):
        lift(chain(load.s(1).set(**{option: timedelta(minutes=1)}), load.s(1)))


def test_stamps_are_read_apart_from_options():
    sig = load.s(1)
    sig.stamp(batch="b7")
    node = lift(sig)
    assert node.options.stamps == (("batch", "b7"),)
    assert node.options.extra == ()


def test_ten_thousand_members():
    node = lift(chord((price.s(number) for number in range(10_000)), total.s()))
    assert len(node.header.members) == 10_000


def test_flow_survives_celerys_json():
    assert lift(json.loads(json.dumps(flow()))) == lift(flow())


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (5, "canvas: expected a Celery signature, got int 5"),
        (load, "write task.s(...) instead of task or task(...)"),
        (
            {"task": "x", "subtask_type": "spiral", "kwargs": {}},
            "unknown kind of signature 'spiral'",
        ),
        (
            {"task": "celery.group", "subtask_type": "group", "kwargs": {"tasks": [1]}},
            "canvas[0]: expected a Celery signature, got int 1",
        ),
    ],
)
def test_what_is_no_canvas_is_said_with_its_place(thing, says):
    with pytest.raises(BadCanvas) as raised:
        lift(thing)
    assert says in str(raised.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner),
    max_leaves=4,
)


def leaf():
    made = st.builds(lambda arg, cls: cls(arg), values, st.sampled_from([price.s, price.si]))
    return st.one_of(
        made,
        st.lists(values, max_size=3).map(price.map),
        st.lists(st.tuples(values), max_size=3).map(price.starmap),
        st.lists(st.tuples(values), max_size=3).map(lambda items: price.chunks(items, 2)),
    )


def nested(inner):
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda steps: chain(*steps, app=app)),
        st.lists(inner, max_size=3).map(lambda members: group(members, app=app)),
        st.builds(
            lambda header, body: chord(header, body, app=app), st.lists(inner, max_size=3), inner
        ),
        st.builds(lambda task, link: task.set(link=[link]), leaf(), inner),
    )


@given(st.recursive(leaf(), nested, max_leaves=12))
def test_before_and_after_celerys_json_and_through_lower(canvas):
    node = lift(canvas)
    assert lift(loads(dumps(canvas))) == node
    assert lift(lower(node)) == node
    assert lift(signature(lower(node), app=app)) == node


def test_an_empty_group_is_a_group():
    assert lift(group()) == Group(members=())
