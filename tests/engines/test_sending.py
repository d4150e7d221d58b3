"""What is decided when something is sent: queues, values, classes and apps of one's own."""

import re
from decimal import Decimal

import pytest
from celery import VERSION, Celery, Task, chain, chord, group
from celery.signals import before_task_publish
from kombu import Queue
from pydantic import BaseModel

from offcanvas._run import run
from offcanvas.canvas.nodes import walk
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.memory_backend import memory_backend
from offcanvas.celery_app.planning import Submission, plan
from offcanvas.errors import (
    BadArguments,
    BadCanvas,
    CanvasWarning,
    UnregisteredTask,
    UnserialisableValue,
    UnsupportedCanvas,
)
from tests.engines.odd import plus, revoking, waiting
from tests.engines.points import Point, write_json, write_points

pytestmark = pytest.mark.filterwarnings(
    "ignore::celery.exceptions.CPendingDeprecationWarning",
    "ignore::celery.exceptions.CDeprecationWarning",
)


class Router:
    """Celery's older kind."""

    def route_for_task(self, task, args=None, kwargs=None):
        return {"queue": "gpu"} if task == "shop.draw" else None


def by_name(name, args, kwargs, options, task=None, **kw):
    return {"queue": "gpu", "priority": 4} if name == "shop.draw" else None


ROUTES = {
    "dictionary": {"shop.draw": {"queue": "gpu"}},
    "name of a queue": {"shop.draw": "gpu"},
    "glob": {"shop.d*": {"queue": "gpu"}},
    "pattern": {re.compile(r"shop\.dr.*"): {"queue": "gpu"}},
    "pairs": [("shop.other", {"queue": "cpu"}), ("shop.draw", {"queue": "gpu"})],
    "list": [{"shop.other": {"queue": "cpu"}}, {"shop.draw": {"queue": "gpu"}}],
    "function": by_name,
    "list of functions": [by_name],
    "class": Router(),
    "name of a function": f"{__name__}.by_name",
    "queue": {"shop.draw": {"queue": Queue("gpu")}},
}


@pytest.fixture
def shop():
    made = Celery("shop", broker="memory://", backend=None, set_as_current=False)

    @made.task(shared=False, name="shop.draw", bind=True)
    def draw(self, *args):
        return self.request.delivery_info["routing_key"]

    @made.task(shared=False, name="shop.other", bind=True)
    def other(self, *args):
        return self.request.delivery_info["routing_key"]

    return made


@pytest.mark.parametrize("how", ROUTES)
def test_routes_of_every_form_name_the_queue(shop, how):
    shop.conf.task_routes = ROUTES[how]
    if how == "pairs":
        shop.conf.task_routes = (ROUTES[how],)
    draw = shop.tasks["shop.draw"]
    other = shop.tasks["shop.other"]
    assert run(draw.s()).get() == "gpu"
    assert run(chain(other.s(), draw.s())).get() == "gpu"
    assert run(chord([draw.s()], other.s())).get() != "gpu"
    assert run(group(draw.s().set(queue="mine"), draw.s())).get() == ["mine", "gpu"]
    assert run(draw.s(), queue="mine").get() == "mine"


def test_a_task_with_a_queue_of_its_own_is_not_routed(shop):
    shop.conf.task_routes = {"*": {"queue": "gpu"}}

    @shop.task(shared=False, name="shop.own", queue="own", bind=True)
    def own(self):
        return self.request.delivery_info["routing_key"]

    assert run(own.s()).get() == "own"


@pytest.fixture
def pointed(shop):
    write_points(shop)

    @shop.task(shared=False, name="shop.moved")
    def moved(point, by):
        return Point(point.x + by)

    @shop.task(shared=False, name="shop.sum")
    def total(points):
        return sum(one.x for one in points)

    yield shop
    write_json(shop)


def test_a_json_serializer_of_the_apps_own_carries_its_values(pointed):
    moved, total = pointed.tasks["shop.moved"], pointed.tasks["shop.sum"]
    assert run(moved.s(Point(1), 2)).get().x == 3
    assert run(chain(moved.s(Point(1), 2), moved.s(10))).get().x == 13
    assert run(chord([moved.s(Point(1), 2), moved.s(Point(5), 0)], total.s())).get() == 8


def test_a_serializer_that_writes_no_json_is_refused(shop):
    for name in ("yaml", "msgpack", "pickle", "unknown"):
        shop.conf.task_serializer = name
        with pytest.raises(UnsupportedCanvas, match=f"task_serializer={name}"):
            run(shop.tasks["shop.draw"].s())


@pytest.fixture
def pickling(shop):
    @shop.task(shared=False, name="shop.pickled", serializer="pickle")
    def pickled(point):
        return point

    return pickled


def test_a_task_with_another_serializer_is_refused_by_its_place(shop, pickling):
    draw = shop.tasks["shop.draw"]
    for canvas in (draw.s() | pickling.s(), draw.s() | pickling.map([1])):
        with pytest.raises(UnsupportedCanvas, match=r"chain\[1\]: shop.pickled, serializer=pickle"):
            run(canvas)


@pytest.mark.parametrize("name", ["pickle", "yaml"])
def test_another_serializer_for_one_call_is_refused_by_its_place(shop, name):
    draw = shop.tasks["shop.draw"]
    picked = draw.si().set(serializer=name)
    for canvas, options, where in (
        (picked, {}, "task: shop.draw, "),
        (chain(draw.si(), picked), {}, "chain[1]: shop.draw, "),
        (group(picked, draw.si()), {}, "group[0]: shop.draw, "),
        (chord([draw.si()], picked), {}, "chord.body: shop.draw, "),
        (group(draw.si(), draw.si()).set(serializer=name), {}, "group: "),
        (draw.map([1]).set(serializer=name), {}, "map: shop.draw, "),
        (draw.si().set(link=[picked]), {}, "task.link[0]: shop.draw, "),
        (draw.si().on_error(picked), {}, "task.link_error[0]: shop.draw, "),
        (draw.si(), {"serializer": name}, "call: "),
        (chain(draw.si(), draw.si()), {"serializer": name}, "call: "),
        (group(draw.si(), draw.si()), {"serializer": name}, "call: "),
    ):
        with pytest.raises(UnsupportedCanvas) as refused:
            run(canvas, **options)
        assert f"cannot run this canvas: {where}serializer={name}: every" in str(refused.value)


def test_a_call_may_have_json_for_a_task_that_has_not(pickling):
    assert run(pickling.s(1).set(serializer="json")).get() == 1
    assert run(pickling.s(1), serializer="json").get() == 1


def test_what_a_task_sends_with_another_serializer_fails_the_task(shop, pickling):
    draw = shop.tasks["shop.draw"]
    ways = {
        "its own": pickling.si(1).delay,
        "set": draw.si().set(serializer="pickle").delay,
        "call": lambda: draw.apply_async(serializer="pickle"),
    }

    @shop.task(shared=False, name="shop.sends")
    def sends(way):
        ways[way]()

    @shop.task(shared=False, bind=True, name="shop.replaced")
    def replaced(self):
        raise self.replace(pickling.si(1))

    for canvas in (*(sends.s(way) for way in ways), replaced.s()):
        assert "serializer=pickle: everything is carried as JSON" in str(run(canvas).error)


def test_a_value_that_is_no_json_is_told_by_its_place(shop):
    draw = shop.tasks["shop.draw"]
    for call, what in (
        (draw.si(Point(1)), "chain[1]: argument 1 of shop.draw"),
        (draw.si(by=Point(1)), "chain[1]: argument by of shop.draw"),
        (draw.map([1, Point(1)]), "chain[1]: an item of shop.draw"),
    ):
        with pytest.raises(UnserialisableValue) as caught:
            run(draw.s() | call)
        assert str(caught.value).startswith(f"{what} cannot be sent as JSON: Object of type Point")
        assert "hand on an id" in str(caught.value)


class Item(BaseModel):
    """What a pydantic task takes and gives."""

    price: Decimal
    name: str = "thing"


@pytest.fixture
def priced(shop):
    @shop.task(shared=False, name="shop.price", pydantic=True)
    def price(item: Item, times: int = 1) -> Item:
        return Item(price=item.price * times, name=item.name)

    return price


def test_models_are_arguments_of_pydantic_tasks(priced):
    dear = {"price": "4", "name": "thing"}
    item = Item(price=Decimal(2))
    if VERSION < (5, 7):  # which takes them apart nowhere
        with pytest.raises(UnserialisableValue, match="Item is not JSON serializable"):
            run(priced.s(item, 2))
        return
    assert run(priced.s(item, 2)).get() == dear
    assert run(priced.s(item=item, times=2)).get() == dear
    assert run(priced.s(), args=(item, 2)).get() == dear
    assert run(chain(priced.s(item, 2), priced.s())).get() == dear
    assert run(group(priced.s(item), priced.s(item=item, times=2))).get()[1] == dear


class Own(Celery):
    """An app that sends everything with a header of its own."""

    def send_task(self, name, args=None, kwargs=None, **options):
        headers = {"tenant": "acme", **(options.pop("headers", None) or {})}
        return super().send_task(name, args, kwargs, headers=headers, **options)


def test_an_app_with_a_send_task_of_its_own_is_asked():
    own = Own("own", broker="memory://", backend=None, set_as_current=False)

    @own.task(shared=False, name="own.tenant", bind=True)
    def tenant(self, *args):
        return (self.request.headers or {}).get("tenant")

    assert run(tenant.s()).get() == "acme"
    assert run(chord([tenant.s(), tenant.s()], tenant.s())).get() == "acme"
    assert run(group(tenant.s(), chain(tenant.s(), tenant.s()))).get() == ["acme", "acme"]


def test_a_task_of_a_class_that_is_registered_later_is_asked(shop):
    class Late(Task):
        name = "shop.late"
        autoretry_for = (ValueError,)
        max_retries = 1
        default_retry_delay = 0

        def run(self):
            if not self.request.retries:
                raise ValueError
            return self.request.retries

    task = shop.register_task(Late())
    assert run(task.s()).get() == 1


def test_limits_that_are_upside_down_are_refused(shop):
    @shop.task(shared=False, name="shop.upside_down", soft_time_limit=5, time_limit=2)
    def upside_down():
        """Does not run."""

    with pytest.raises(BadArguments, match="soft_time_limit must be less than or equal"):
        run(upside_down.s())


def test_a_plan_asks_no_class(shop):
    asked = []

    class Asked(Task):
        def apply_async(self, *args, **options):
            asked.append(1)
            return super().apply_async(*args, **options)

    @shop.task(shared=False, name="shop.asked", base=Asked)
    def task():
        """Does not run."""

    planned = plan(Submission(shop, group(task.s(), task.s())))
    assert len(list(walk(planned.plan))) == 3
    assert asked == []


def test_a_class_that_waits_before_it_sends_is_refused():
    with pytest.raises(BadCanvas, match=r"apply_async raises: .*Never call result\.get\(\)"):
        run(chain(waiting.s(1), plus.s(1)))


def test_a_class_that_revokes_while_it_sends_is_a_warning():
    with pytest.warns(CanvasWarning, match="revokes 11111111-.* run and check do not"):
        assert run(group(revoking.s(1), plus.s(1))).get() == [1, 2]


def test_what_a_class_sends_besides_and_the_app_does_not_know_is_refused(shop):
    class Billed(Task):
        def apply_async(self, *args, **options):
            self.app.send_task("billing.charge", (1,))
            return super().apply_async(*args, **options)

    @shop.task(shared=False, name="shop.billed", base=Billed)
    def task():
        """Does not run."""

    with pytest.raises(UnregisteredTask, match=r"no task 'billing\.charge'"):
        run(task.s())


@pytest.mark.parametrize("asked", [True, False])
def test_what_is_sent_besides_a_plan_is_published_for_a_caller_alone(shop, asked):
    """``preflight`` and ``run`` ask classes as well, which may send something besides."""
    published = []

    class Beside(Task):
        def apply_async(self, *args, **options):
            self.app.tasks["shop.draw"].delay()
            return super().apply_async(*args, **options)

    @shop.task(shared=False, name="shop.beside", base=Beside)
    def task():
        """Does not run."""

    def note(sender, **_given):
        published.append(sender)

    before_task_publish.connect(note)
    try:
        with memory_backend(shop):
            planned = freeze(plan(Submission(shop, group(task.s(), task.s()))))
            found = sent(shop, planned, asked=asked).plan
    finally:
        before_task_publish.disconnect(note)
    besides = [one.name for member in found.members for one in member.options.sent_beside]
    assert (published, besides) == ((["shop.draw"] * 2, []) if asked else ([], ["shop.draw"] * 2))
