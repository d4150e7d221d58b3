"""What Prefect shows of a canvas: task runs of the tasks' names, their attempts, their order."""

import time

import pytest
from celery import chord
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.sorting import TaskRunSort

from offcanvas.canvas.nodes import Chain, Group, Task
from offcanvas.canvas.title import LONGEST, title
from offcanvas.celery_app.freezing import prepare
from tests.engines.apart import add, app, boom, flaky, total

pytestmark = pytest.mark.servers

MODULE = "offcanvas.testing.tasks"


def task_runs(calls, canvas, count):
    """The task runs of a canvas by name, once the server's recorder has caught up."""
    run = calls.start(app, prepare(app, canvas).plan)
    assert calls.finish(run, 300)
    flow = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    for _ in range(3_000):
        found = calls.client.read_task_runs(
            flow_run_filter=flow, sort=TaskRunSort.EXPECTED_START_TIME_ASC, limit=50
        )
        if len(found) == count and all(one.state and one.state.is_final() for one in found):
            return calls.client.read_flow_run(run), {
                one.name.removeprefix(f"{MODULE}."): one for one in found
            }
        time.sleep(0.1)
    pytest.fail(f"{[one.name for one in found]} are recorded")


def test_task_runs_have_the_names_the_attempts_and_the_shape_of_the_canvas(calls):
    flow_run, runs = task_runs(calls, chord([add.s(1), add.s(2)], total.s()) | flaky.s(), 4)
    assert flow_run.name == f"({MODULE}.add x 2) | {MODULE}.total | {MODULE}.flaky"
    assert flow_run.state.name == "Completed"
    assert runs.keys() == {"add[0]", "add[1]", "total", "flaky"}
    before = {name: {one.id for one in run.task_inputs["record"]} for name, run in runs.items()}
    assert before == {
        "add[0]": set(),
        "add[1]": set(),
        "total": {runs["add[0]"].id, runs["add[1]"].id},
        "flaky": {runs["total"].id},
    }
    assert runs["flaky"].run_count == 3
    assert {run.state.name for run in runs.values()} == {"Completed"}


def test_a_failure_is_a_state_with_a_message(calls):
    flow_run, runs = task_runs(calls, boom.s() | add.s(1), 1)
    state = runs["boom"].state
    assert (state.name, state.message) == ("Failed", "ValueError('boom', 0)")
    assert (flow_run.state.name, flow_run.state.message) == ("Failed", state.message)


def test_the_title_of_a_canvas_is_short():
    wide = Group(members=tuple(Task(name="shop.double") for _ in range(9)))
    assert title(Chain(steps=(Task(name="shop.prices"), wide))) == "shop.prices | (shop.double x 9)"
    long = Chain(steps=tuple(Task(name=f"shop.step{number}") for number in range(99)))
    assert len(title(long)) == LONGEST
    assert title(long).endswith("...")
