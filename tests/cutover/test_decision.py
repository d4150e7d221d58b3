"""Which way a key goes: always the same, and more per cent only adds."""

from hypothesis import given
from hypothesis import strategies as st

from offcanvas.cutover.decision import CELERY, engine_for, id_of, inner_id, place_of
from offcanvas.cutover.rules import Rule

PERCENTS = st.floats(0, 100)


def rule(percent, **more):
    return Rule("shop.charge", "temporal", percent=percent, key="order", **more)


@given(st.text(), PERCENTS, PERCENTS)
def test_raising_only_adds(order, one, other):
    low, high = sorted((one, other))
    before = engine_for(rule(low), "", {"order": order}, "id")
    after = engine_for(rule(high), "", {"order": order}, "id")
    assert (before, after) != ("temporal", CELERY)


@given(st.text(), PERCENTS)
def test_a_key_goes_one_way(order, percent):
    ways = {engine_for(rule(percent), "", {"order": order}, str(n)) for n in range(5)}
    assert len(ways) == 1


def test_the_share_is_the_percentage():
    count = sum(place_of("", "shop.charge", str(n)) < 1_000 for n in range(20_000))
    assert 1_800 < count < 2_200


def test_roots_and_salts_take_other_keys_first():
    def first(salt, root):
        return {n for n in range(1_000) if place_of(salt, root, str(n)) < 1_000}

    assert first("", "a") != first("", "b")
    assert first("", "a") != first("s", "a")


def test_tenants_that_always_or_never_go():
    on = rule(0, on=("7",), off=("8",), tenant="tenant")
    assert engine_for(on, "", {"order": "x", "tenant": 7}, "id") == "temporal"
    off = rule(100, on=("7",), off=("8",), tenant="tenant")
    assert engine_for(off, "", {"order": "x", "tenant": "8"}, "id") == CELERY


def test_without_a_key_the_id_decides():
    lone = Rule("shop.charge", "temporal", percent=50)
    assert {engine_for(lone, "", {}, str(n)) for n in range(50)} == {CELERY, "temporal"}


def test_ids_of_orders_come_from_their_values():
    named = rule(0, id=("order", "day"))
    assert id_of(named, {"order": 1, "day": "monday"}) == id_of(
        named, {"day": "monday", "order": 1}
    )
    assert id_of(named, {"order": 1, "day": "monday"}) != id_of(named, {"order": 1, "day": "x"})
    assert id_of(rule(0), {"order": 1}) is None
    assert inner_id("a", "0.1") != inner_id("a", "0.2")
