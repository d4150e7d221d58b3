"""What a rehearsal on Temporal counts; held against a real server in `test_real_server`."""

import pytest

from offcanvas.canvas.lift import lift
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission, plan
from offcanvas.engines.temporal.driver import IN_FLIGHT, SLICE
from offcanvas.preflight.sizes import Sizes, widened
from offcanvas.preflight.temporal import Rehearsal, rehearse
from tests.preflight import shop


def rehearsed(canvas, widths=(), results=()) -> Rehearsal:
    node = widened(lift(canvas), dict(widths))
    frozen = sent(shop.app, freeze(plan(Submission(shop.app, canvas), node)), asked=False).plan
    assert frozen is not None
    return rehearse(shop.app, frozen, Sizes(results=dict(results)).of)


def test_a_chain_wakes_its_workflow_once_a_step():
    (history,) = rehearsed(shop.steps(7)).histories
    assert (history.activities, history.woken, history.at_most) == (7, 8, 8)
    assert history.events == history.bound == 2 + 3 * 7 + 3 * 8


def test_timers_take_two_events_and_no_time():
    found = rehearsed(shop.later())
    (history,) = found.histories
    assert history.timers == 2
    assert history.events == 2 + 3 * 3 + 2 * 2 + 3 * (1 + 3 + 2)
    assert found.seconds > 3 * 3600
    assert found.actions == 1 + 3 + 2


def test_what_ends_together_wakes_once():
    (history,) = rehearsed(shop.heavy(60, 10)).histories
    assert 2 < history.woken <= history.at_most == 61
    assert history.events <= history.bound == 2 + 3 * 60 + 3 * 61


def test_a_wide_group_goes_to_children():
    found = rehearsed(shop.nightly([1, 2, 3]), {"charge": 3 * SLICE})
    slices = [h for h in found.histories if h.what == "slice"]
    assert found.tasks == 2 * 3 * SLICE + 1
    assert [h.activities for h in slices] == [SLICE] * 6
    (canvas,) = [h for h in found.histories if h.what == "canvas"]
    assert (canvas.children, canvas.activities) == (6, 1 + found.kept)
    assert found.actions == 1 + found.tasks + found.kept + 2 * 6


def test_a_long_chain_goes_on_in_new_runs():
    found = rehearsed(shop.steps(1_500))
    assert len(found.histories) == 2
    assert sum(h.activities for h in found.histories) == 1_500
    assert max(h.bound for h in found.histories) < 8_100


def test_an_answer_holds_what_is_scheduled_at_a_time():
    size = 20_000
    (history,) = rehearsed(shop.heavy(3 * IN_FLIGHT, size)).histories
    assert IN_FLIGHT * size < history.answer < (IN_FLIGHT + 5) * (size + 1_000)
    assert history.bytes > 3 * IN_FLIGHT * size


@pytest.mark.parametrize(("told", "travels"), [(900, 900), (5_000, 66)])
def test_large_results_travel_by_reference(told, travels):
    small = rehearsed(shop.nightly([1]), results={"charge": 4}).histories[0]
    large = rehearsed(shop.nightly([1]), results={"charge": told}).histories[0]
    # As a result, as an argument, and once more in the summary of the activity, cut short.
    assert 2 * travels <= large.payload - small.payload <= 2 * travels + 250


def test_what_callbacks_start_has_workflows_of_its_own():
    found = rehearsed(shop.linked(5))
    assert [h.what for h in found.histories].count("started by a task") == 5
    assert found.histories[0].trees == 5
    assert found.tasks == 10
    assert found.actions == 1 + 10 + 2 * 5
