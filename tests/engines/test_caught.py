from celery import chain, chord, group

from offcanvas.canvas.draw import tree
from offcanvas.canvas.lift import lift
from offcanvas.celery_app.caught import caught
from tests.engines.tasks import add, app, total


def sent(function):
    made, canvases = caught(function)
    return made, [tree(lift(one)) for one in canvases]


def test_what_a_function_sends_is_caught_with_its_arguments_and_options():
    made, canvases = sent(lambda: add.apply_async((1,), {"y": 2}, countdown=3, queue="slow").id)
    assert isinstance(made, str)
    assert canvases == [f"{add.name}(1, y=2)  [queue=slow, countdown=3]\n"]


def test_a_chord_that_is_called_with_its_body():
    _, canvases = sent(lambda: chord([add.s(1), add.s(2)])(total.s()))
    assert canvases == [tree(lift(chord([add.s(1), add.s(2)], total.s())))]


def test_a_function_that_waits_is_called_to_there():
    def waits():
        chain(add.s(1), add.s(2)).delay(3).get()
        raise AssertionError("nothing arrives")

    made, canvases = sent(waits)
    assert made is None
    assert canvases == [tree(lift(chain(add.s(3, 1), add.s(2))))]


def test_waiting_for_a_group_is_no_other_matter():
    made, canvases = sent(lambda: group(add.s(1), add.s(2)).delay().get())
    assert made is None
    assert len(canvases) == 1


def test_all_that_is_sent_is_in_order_and_the_app_is_as_before():
    backend = app.backend
    _, canvases = sent(lambda: [add.delay(1), app.send_task("a.stranger", (2,))])
    assert canvases == [f"{add.name}(1)\n", "a.stranger(2)\n"]
    assert app.backend is backend
