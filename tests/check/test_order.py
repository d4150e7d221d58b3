"""Steps of a chain, and bodies of chords, wait for what comes before them."""

import pytest
from celery import chain, chord

from offcanvas.celery_app.freezing import prepare
from offcanvas.checking.order import breaches
from tests.check.shop import app, double, listed


def entries(*told):
    return [
        {"event": word, "name": name, "id": f"id-{name}"}
        for word, name in (one.split() for one in told)
    ]


def plan():
    header = [double.s(1).set(task_id="id-a"), double.s(2).set(task_id="id-b")]
    last = double.si(1).set(task_id="id-d")
    return prepare(app, chain(chord(header, listed.s().set(task_id="id-c")), last)).plan


IN_ORDER = ["began b", "began a", "ended a", "ended b", "began c", "ended c", "began d", "ended d"]


@pytest.fixture(autouse=True)
def _no_backend(monkeypatch):
    monkeypatch.setattr(app.conf, "result_backend", "cache+memory://")


def test_members_of_a_header_have_no_order():
    assert breaches(plan(), entries(*IN_ORDER)) == []


def test_a_body_waits_for_all_of_its_header():
    early = ["began b", "began a", "ended a", "began c", "ended b", "ended c", "began d"]
    assert breaches(plan(), entries(*early)) == ["c began before b had ended"]


def test_a_step_waits_for_its_predecessor():
    early = [*IN_ORDER[:5], "began d", "ended d", "ended c"]
    assert breaches(plan(), entries(*early)) == ["d began before c had ended"]


def test_attempts_that_a_task_leaves_behind_are_not_waited_for():
    told = entries(*IN_ORDER[:4], "began c", "began b", "ended b", "ended c")
    assert breaches(plan(), told) == ["c began before b had ended"]
    told[3]["state"] = "SUCCESS"
    assert breaches(plan(), told) == []


def test_what_has_not_run_is_no_breach():
    assert breaches(plan(), entries("began a", "ended a")) == []
