"""Celery changes the canvases it runs; a copy is one, all the way down."""

from celery import chain, chord, group
from celery.canvas import Signature

from offcanvas.canvas.lift import lift
from offcanvas.celery_app.memory_backend import memory_backend
from offcanvas.checking.fresh import fresh
from tests.check.shop import app, double, total


def canvas():
    header = (double.s(number) for number in range(3))
    return chain(double.s(1), group([chord(header, total.s()), chain(double.s(1), double.s())]))


def parts(found):
    if isinstance(found, Signature):
        yield found
    for inner in found.values() if isinstance(found, dict) else found:
        if isinstance(inner, (dict, list, tuple)) or hasattr(inner, "__iter__"):
            yield from parts(inner) if not isinstance(inner, str) else ()


def test_a_copy_means_the_same_and_shares_no_signature():
    original = canvas()
    copied = fresh(original)
    assert lift(copied) == lift(original)
    assert [type(part) for part in parts(copied)] == [type(part) for part in parts(original)]
    assert {id(part) for part in parts(copied)}.isdisjoint(id(part) for part in parts(original))


def test_ids_of_a_copy_do_not_reach_the_original():
    original = canvas()
    with memory_backend(app):
        fresh(original).freeze()
    assert lift(original) == lift(canvas())
