"""User data is never taken for a reference, and large values do not get in the way."""

import pytest
from celery import chain, chord, group

from offcanvas.celery_app.freezing import prepare
from tests.engines.apart import app, big, echo, fails_with, length, retries_with, waits_for, write
from tests.engines.files import wait_for
from tests.engines.lookalikes import suite
from tests.engines.twice import one_id_sent_twice

pytestmark = pytest.mark.servers


def test_what_looks_like_a_reference_is_a_value(calls, on_engine):
    secret = prepare(app, big.s(2_000))
    assert calls.walk(app, secret.plan, timeout=300)
    canvas, expected = suite(secret.result.id)
    assert on_engine(canvas).get() == expected


def test_a_reference_that_leads_nowhere_fails_its_task_alone(calls, tmp_path):
    path, told = tmp_path / "forgotten", str(tmp_path / "told")
    # The callback runs once the engine has been told of the result, and where it is.
    first = big.s(5_000).set(link=write.si("told", path=told))
    joins = chord([first, waits_for.s(str(path))], length.s())
    prepared = prepare(app, group(joins, echo.s(1)))
    joined, other = prepared.result.results
    large = joined.parent.results[0]
    run = calls.start(app, prepared.plan)
    wait_for(told)
    large.forget()
    path.touch()
    assert calls.finish(run, 300)
    assert other.get(timeout=10) == 1
    with pytest.raises(LookupError, match="no longer in the result backend"):
        joined.get(timeout=10, disable_sync_subtasks=False)


def test_large_retries_and_errors(on_engine):
    assert on_engine(chain(retries_with.s(3_000_000), echo.s())).get() == 3_000_000
    outcome = on_engine(chord([fails_with.s(3_000_000), echo.s(1)], echo.s()))
    assert len(outcome.error.args[0]) == 3_000_000


def test_one_id_sent_twice(calls, tmp_path):
    one_id_sent_twice(lambda plan: calls.start(app, plan), calls.finish, tmp_path)
