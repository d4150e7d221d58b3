"""User data is never taken for a reference, and what is too large for Temporal travels by one."""

import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError

from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.temporal import driver
from offcanvas.engines.temporal.client import finish, start_canvas
from offcanvas.errors import CanvasTooLarge
from tests.engines.apart import (
    app,
    big,
    echo,
    fails_with,
    length,
    random_text,
    random_text_ignored,
    replaced_with,
    retries_with,
    starts_with,
    write,
)
from tests.engines.lookalikes import suite
from tests.engines.twice import one_id_sent_twice

pytestmark = pytest.mark.servers

#: More than the server takes at a time, however it is compressed.
MUCH = 5_000_000


def test_what_looks_like_a_reference_is_a_value(calls, on_engine):
    secret = prepare(app, big.s(2_000))
    assert calls.walk(app, secret.plan, timeout=300)
    canvas, expected = suite(secret.result.id)
    assert on_engine(canvas).get() == expected


def begin(calls, plan):
    return calls.wait(start_canvas(calls.client, app, plan, task_queue=calls.task_queue))


def test_one_id_sent_twice(calls, tmp_path):
    one_id_sent_twice(
        lambda plan: begin(calls, plan), lambda run: calls.wait(finish(calls.client, run)), tmp_path
    )


def test_results_of_a_chord_that_are_too_much_together(on_engine):
    # None of them is large enough to travel by reference by itself.
    canvas = chord([random_text.s(1_000) for _ in range(2_700)], length.s())
    assert on_engine(canvas).get() == [1_000] * 2_700


def test_results_of_a_group_travel_by_reference_to_a_group(on_engine, monkeypatch):
    monkeypatch.setattr(driver, "CARRIED", 2_000)
    monkeypatch.setattr(driver, "PIECE", 3_000)
    canvas = chain(group(random_text.s(500) for _ in range(10)), group(length.s(), length.s()))
    assert on_engine(canvas).get() == [[500] * 10] * 2


def test_large_results_that_nobody_stores(on_engine):
    assert on_engine(random_text_ignored.s(MUCH) | length.s()).get() == MUCH
    both = chord([random_text_ignored.s(MUCH), random_text_ignored.s(MUCH)], length.s())
    assert on_engine(both).get() == [MUCH, MUCH]


def test_a_retry_with_large_arguments(on_engine):
    assert on_engine(retries_with.s(MUCH)).get() == MUCH


def test_canvases_too_large_for_the_server_fail_in_the_task_that_starts_them(on_engine, path):
    for canvas in (
        starts_with.s(MUCH, path=path),
        replaced_with.s(MUCH),
        chord([replaced_with.s(MUCH), echo.s(1)], echo.s()) | echo.s(),
    ):
        error = on_engine(canvas).error
        assert isinstance(error, CanvasTooLarge | ChordError)
        assert "pass large values by reference" in str(error)
    assert on_engine(starts_with.s(10_000, path=path)).get() is None
    with open(path) as file:  # noqa: PTH123  # a path is text here
        assert file.read() == "10000\n"


def test_a_large_error_is_told_whole(on_engine, path):
    outcome = on_engine(fails_with.s(MUCH) | echo.s())
    assert isinstance(outcome.error, ValueError)
    assert len(outcome.error.args[0]) == MUCH
    failed = on_engine(
        chord([fails_with.s(MUCH), echo.s(1)], echo.s()).on_error(write.si("x", path=path))
    )
    assert len(str(failed.error)) >= MUCH
