"""``rate_limit`` in each form in which a task can have one, read as Celery's worker reads it."""

from types import SimpleNamespace

import pytest
from celery import Celery, Task, chain
from celery.worker.consumer import Consumer
from kombu.exceptions import OperationalError

from offcanvas._reroute import Rerouting
from offcanvas._run import run
from offcanvas.canvas.calls import TaskCall
from offcanvas.celery_app.rate_limits import per_second, require_rate_limits
from offcanvas.celery_app.seam import open_route
from offcanvas.engines.processes.rates import Rates
from offcanvas.errors import UsageError
from tests.engines.odd import app, noted


class Slow(Task):
    rate_limit = "30/m"


class Annotation:
    """An annotation that is no dictionary (``celery.app.annotations``)."""

    def annotate(self, task):
        return {"rate_limit": "2/s"} if task.name == "work" else None

    def annotate_any(self):
        return None


#: How a task comes by a limit: settings of the app, options of the task, how many a second.
FORMS = {
    "none": ({}, {}, 0.0),
    "decorator": ({}, {"rate_limit": "240/m"}, 4.0),
    "by the hour": ({}, {"rate_limit": "1800/h"}, 0.5),
    "a number": ({}, {"rate_limit": 3}, 3.0),
    "a text without a unit": ({}, {"rate_limit": "0.5"}, 0.5),
    "nought": ({}, {"rate_limit": "0/s"}, 0.0),
    "class": ({}, {"base": Slow}, 0.5),
    "task_default_rate_limit": ({"task_default_rate_limit": "120/m"}, {}, 2.0),
    "old name": ({"CELERY_DEFAULT_RATE_LIMIT": "120/m"}, {}, 2.0),
    "its own before the default": ({"task_default_rate_limit": "1/s"}, {"rate_limit": "5/s"}, 5.0),
    "annotation": ({"task_annotations": {"work": {"rate_limit": "6/s"}}}, {}, 6.0),
    "annotation of all": ({"task_annotations": {"*": {"rate_limit": "7/s"}}}, {}, 7.0),
    "annotations in a list": (
        {"task_annotations": [{"work": {"rate_limit": "8/s"}}, {"*": {"acks_late": True}}]}, {}, 8.0
    ),
    "annotation as an object": ({"task_annotations": [Annotation()]}, {}, 2.0),
    "annotation before the decorator": (
        {"task_annotations": {"work": {"rate_limit": "9/s"}}}, {"rate_limit": "1/s"}, 9.0
    ),
    "annotation that takes it away": (
        {"task_annotations": {"work": {"rate_limit": None}}}, {"rate_limit": "1/s"}, 0.0
    ),
    "all limits off": ({"worker_disable_rate_limits": True}, {"rate_limit": "1/s"}, 0.0),
}  # fmt: skip


def made(conf, options):
    one = Celery("rated", set_as_current=False)
    one.conf.update(conf)
    one.task(name="work", shared=False, **options)(work)
    one.finalize()
    return one


def work():
    """Does nothing."""


@pytest.mark.parametrize("form", FORMS)
def test_every_form_sets_the_pace(form):
    conf, options, expected = FORMS[form]
    one = made(conf, options)
    now = [100.0]
    rates = Rates(one, lambda: now[0])
    call = TaskCall({"task": "work"}, "1", "1")
    waits = [rates.reserve(call) for _ in range(3)]
    distance = 1 / expected if expected else 0.0
    assert waits == pytest.approx([0.0, distance, 2 * distance])
    # What nobody has used is not kept, as in a bucket of one token.
    now[0] += 1_000
    assert rates.reserve(call) == 0.0


@pytest.mark.parametrize("form", [one for one in FORMS if one != "all limits off"])
def test_celerys_worker_reads_the_same(form):
    conf, options, expected = FORMS[form]
    task = made(conf, options).tasks["work"]
    bucket = Consumer.bucket_for_task(SimpleNamespace(), task)
    assert (bucket.fill_rate if bucket else 0.0) == per_second(task) == expected


@pytest.mark.parametrize("given", ["often", "10/d", "-1/s", -2, "nan", {"s": 1}, "1/s/s"])
def test_a_limit_that_says_nothing_is_refused(given):
    one = made({}, {"rate_limit": given})
    with pytest.raises(UsageError, match=r"work: rate_limit=.* is no rate limit; use a number"):
        require_rate_limits(one, ["work", "of another service"])


def test_nothing_begins_where_a_limit_says_nothing(monkeypatch, path):
    monkeypatch.setattr(noted, "rate_limit", "ten")
    with pytest.raises(UsageError, match=r"noted: rate_limit='ten' is no rate limit"):
        run(chain(noted.s(1, path=path), noted.s(path=path)))


# -- changed as workers run


@pytest.fixture
def switched():
    """A switch with a target that takes nothing."""
    made = Rerouting(app, "memory", None, (), strict=False, opened=False)
    made._opened = True
    close = open_route(app, made)
    yield made
    close()


@pytest.mark.parametrize("command", ["rate_limit", "time_limit"])
def test_a_limit_of_what_runs_elsewhere_is_not_changed_in_silence(switched, command):
    change = getattr(app.control, command)
    said = f"app.control.{command}\\('{noted.name}'\\) reaches no worker but Celery's: set "
    with pytest.raises(UsageError, match=said):
        change(noted.name, 1)


def test_a_limit_of_what_stays_with_celery_goes_to_its_workers(switched, monkeypatch):
    told = []
    monkeypatch.setattr(app.control, "broadcast", lambda *given, **more: told.append(more))
    switched.only = frozenset({"another"})
    app.control.rate_limit(noted.name, "1/s", destination=["w1"])
    switched.only = frozenset()
    app.control.rate_limit("of.another.service", "1/s")
    assert [one["arguments"]["task_name"] for one in told] == [noted.name, "of.another.service"]
    assert told[0]["destination"] == ["w1"]


def test_without_a_switch_it_is_celerys_own(monkeypatch):
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1//")
    with pytest.raises((OperationalError, OSError)):
        app.control.rate_limit(noted.name, "1/s")
