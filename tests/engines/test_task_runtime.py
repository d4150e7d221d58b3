import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from celery import group
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from kombu.exceptions import EncodeError

from offcanvas.canvas.calls import Branch, ChordFailure, TaskCall
from offcanvas.canvas.lift import lift
from offcanvas.canvas.lower import lower
from offcanvas.canvas.nodes import Options, Task
from offcanvas.celery_app.freezing import signature_of
from offcanvas.celery_app.task_runtime import (
    fail_chord,
    revoke,
    run_task,
    store_failures,
)
from offcanvas.celery_app.time_limits import time_limits
from offcanvas.celery_app.values import error_wire, from_wire, to_wire
from offcanvas.engines.memory.engine import memory_backend
from offcanvas.engines.walker import result_ids
from tests.engines.tasks import (
    add,
    app,
    boom,
    flaky,
    new_errback,
    note,
    noted,
    old_errback,
    retries_with,
    shows_request,
    swapped,
    total,
)


@pytest.fixture(autouse=True)
def backend():
    noted.clear()
    with memory_backend(app) as kept:
        yield kept


def call(signature, **changes):
    given = {"task_id": "t1", "root_id": "r1", "signature": to_wire(lower(lift(signature)))}
    return TaskCall(**{**given, **changes})


def test_success_is_stored_under_the_id():
    outcome = run_task(app, call(add.s(1, 2)))
    assert (outcome.state, outcome.value) == ("SUCCESS", 3)
    assert app.AsyncResult("t1").get(timeout=1) == 3


def test_callbacks_come_back_as_branches_below_the_task():
    outcome = run_task(app, call(add.s(1).set(link=note.s("x"))))
    (spawned,) = outcome.spawned
    assert spawned["node"]["args"] == [2, "x"]
    assert spawned["context"]["parent_id"] == "t1"
    assert spawned["context"]["root_id"] == "r1"
    assert [child.id for child in app.AsyncResult("t1").children] == [
        spawned["node"]["options"]["task_id"]
    ]


def test_a_failure_is_stored_and_errbacks_are_told_apart():
    sig = boom.s().set(link_error=[new_errback.s(), old_errback.s()])
    outcome = run_task(app, call(sig))
    assert outcome.error == {
        "exc_type": "ValueError",
        "exc_module": "builtins",
        "exc_message": ["boom", 0],
    }
    assert noted == [("new_errback", "t1", "ValueError('boom', 0)")]
    assert [spawned["node"]["members"][0]["args"] for spawned in outcome.spawned] == [["t1"]]
    assert app.AsyncResult("t1").state == "FAILURE"


def test_an_errback_that_fails_leaves_the_others_alone():
    failing = boom.si()
    outcome = run_task(app, call(boom.s().set(link_error=[failing, new_errback.s()])))
    assert outcome.error["exc_type"] == "ValueError"
    assert [what[0] for what in noted if what[0] == "new_errback"] == ["new_errback"]


def test_a_retry_is_an_outcome_with_its_delay():
    outcome = run_task(app, call(flaky.s(1)))
    assert (outcome.state, outcome.delay) == ("RETRY", 3600.0)
    assert outcome.retry["args"] == [1]
    assert app.AsyncResult("t1").state == "RETRY"


def test_a_retry_may_say_when_it_expires():
    def next_options(**given):
        outcome = run_task(app, call(retries_with.s(given)))
        return outcome.retry["options"]

    assert next_options(expires=20)["expires"] == 20
    moment = datetime(2027, 1, 2, tzinfo=UTC)
    assert next_options(expires=moment)["expires"] == "2027-01-02T00:00:00+00:00"


def test_the_request_has_what_a_worker_gives():
    given = call(shows_request.s(5), eta="2026-11-22T00:00:00+00:00")
    seen = run_task(app, given).value
    assert seen == {"args": [5], "argsrepr": "(5,)", "eta": "2026-11-22T00:00:00+00:00"}


def test_a_replacement_has_the_id_of_the_task():
    outcome = run_task(app, call(swapped.s(1)))
    assert outcome.state == "REPLACED"
    assert outcome.replacement["steps"][-1]["options"]["task_id"] == "t1"


def test_arguments_that_do_not_fit_run_nothing():
    outcome = run_task(app, call(total.s()))
    assert (outcome.state, outcome.error["exc_type"]) == ("REFUSED", "TypeError")
    assert app.AsyncResult("t1").state == "PENDING"


def test_a_value_that_does_not_fit_what_follows_fails_the_task():
    following = lower(Task(name=total.name, args=(None,), options=Options(task_id="t2")))
    outcome = run_task(app, call(add.s(1), then=(following,)))
    assert (outcome.state, outcome.error["exc_type"]) == ("FAILURE", "TypeError")


def test_an_unregistered_task_fails():
    lost = call(app.signature("no.such"))
    assert run_task(app, lost).error["exc_type"] == "NotRegistered"
    assert app.AsyncResult("t1").state == "FAILURE"


def test_expired_and_revoked_tasks_do_not_run():
    expired = run_task(app, call(add.s(1), expires_at="2020-01-01T00:00:00+00:00"))
    assert (expired.state, noted) == ("REVOKED", [])
    assert app.AsyncResult("t1").state == "REVOKED"
    assert revoke(app, call(add.s(1), task_id="t2"), "revoked").state == "REVOKED"
    assert app.AsyncResult("t2").state == "REVOKED"
    unknown = call(app.signature("no.such"), task_id="t3")
    assert revoke(app, unknown, "revoked").error["exc_type"] == "NotRegistered"


@pytest.mark.parametrize(
    ("reason", "stamped", "given", "stored"),
    [
        ("revoked", False, {}, True),
        ("revoked", False, {"ignore_result": True}, True),
        ("revoked", True, {"ignore_result": True}, False),
        ("terminated", False, {}, True),
        ("terminated", False, {"ignore_result": True}, False),
    ],
)
def test_what_ignores_its_result_and_is_revoked_is_stored_as_by_a_worker(
    reason, stamped, given, stored
):
    outcome = revoke(app, call(add.s(1).set(**given)), reason, stamped=stamped)
    assert outcome.unstored is not stored
    assert app.AsyncResult("t1").state == ("REVOKED" if stored else "PENDING")


def test_a_failed_header_names_its_culprit_to_the_body():
    body = total.s().set(task_id="b1", link_error=[new_errback.s()])
    outcome = fail_chord(
        app, ChordFailure(lower(lift(body)), error_wire(app, ValueError("boom")), "h1")
    )
    assert outcome.error["exc_message"] == ["Dependency h1 raised ValueError('boom')"]
    assert noted == [
        ("new_errback", "b1", "ChordError(\"Dependency h1 raised ValueError('boom')\")")
    ]
    assert app.AsyncResult("b1").state == "FAILURE"


def test_errbacks_of_a_failed_chord_are_children_of_its_result():
    body = total.s().set(task_id="b1", link_error=[old_errback.s()])
    failed = fail_chord(
        app, ChordFailure(lower(lift(body)), error_wire(app, ValueError("boom")), "h1")
    )
    (spawned,) = (Branch.from_json(branch) for branch in failed.spawned)
    (sent,) = app.AsyncResult("b1").children
    assert result_ids(spawned.node) == [child.id for child in sent.children]
    assert spawned.context.parent_id == "b1"


def test_members_of_a_group_body_fail_with_the_original_error():
    body = group(note.s().set(task_id="m1"), note.s().set(task_id="m2"), app=app)
    body.options["task_id"] = "g1"
    fail_chord(app, ChordFailure(lower(lift(body)), error_wire(app, ValueError("boom")), "h1"))
    assert repr(app.AsyncResult("m2").result) == "ValueError('boom')"


def test_failures_of_tasks_that_never_run_are_stored():
    run_task(app, call(boom.s()))
    store_failures(app, ["x1", "x2"], error_wire(app, KeyError("k")), "t1")
    assert isinstance(app.AsyncResult("x2").result, KeyError)
    assert 'ValueError("boom", len(args))' in app.AsyncResult("x2").traceback
    store_failures(app, ["x3"], error_wire(app, KeyError("k")), None)
    assert app.AsyncResult("x3").state == "FAILURE"


def test_values_cross_as_kombu_writes_them():
    value = {"day": date(2026, 11, 22), "price": Decimal("1.5"), "pair": (1, 2)}
    assert from_wire(to_wire(value)) == {**value, "pair": [1, 2]}
    with pytest.raises(EncodeError):
        to_wire(object())


def test_the_soft_limit_comes_first_and_the_hard_one_after():
    seen = []

    def stubborn():
        try:
            time.sleep(5)
        except SoftTimeLimitExceeded:
            seen.append("soft")
            time.sleep(5)

    with pytest.raises(TimeLimitExceeded), time_limits(0.1, 0.05):
        stubborn()
    assert seen == ["soft"]


def test_signatures_made_of_nodes_have_the_app_on_every_part():
    canvas = signature_of(app, lift(group(add.s(1), add.s(2) | total.s(), app=app)))
    assert canvas.tasks[1].tasks[0]._app is app
