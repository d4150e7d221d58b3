"""What people who look at Temporal see of a canvas: which one it is, and whether it has failed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from celery import chain, chord
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.temporal import activities, driver
from offcanvas.engines.temporal.client import find, finish, settings_of, start_canvas
from offcanvas.engines.temporal.failures import detail_of, failure
from offcanvas.engines.temporal.job import WORKFLOW, Job, Settings
from offcanvas.engines.temporal.payload import pack
from offcanvas.engines.temporal.shown import call_summary, shown
from tests.engines.apart import add, app, boom, fails_late, flaky, starts_failing, total

MODULE = add.name.rpartition(".")[0]
COMPLETED, FAILED = WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED


def ended(calls, canvas, **options):
    """The result of a canvas at its end, its workflow as the server describes it, and events."""
    prepared = prepare(app, canvas)

    async def walk():
        handle = await start_canvas(
            calls.client, app, prepared.plan, task_queue=calls.task_queue, **options
        )
        await finish(calls.client, handle)
        events = [event async for event in handle.fetch_history_events()]
        return await handle.describe(), events

    described, events = calls.wait(walk())
    return prepared.result, described, events


def failures(events, kind="ACTIVITY_TASK_FAILED"):
    wanted = EventType.Value(f"EVENT_TYPE_{kind}")
    name = f"{kind.lower()}_event_attributes"
    return [getattr(event, name).failure for event in events if event.event_type == wanted]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("canvas", "text"),
    [
        (boom.s(), "('boom', 0)"),
        (boom.s() | add.s(1), "('boom', 0)"),
        (add.s(1) | boom.s(), "('boom', 1)"),
        (chord([add.s(1), boom.s()], total.s()), "('boom', 0)"),
    ],
)
def test_a_canvas_that_fails_is_a_failed_workflow_with_a_failed_activity(calls, canvas, text):
    result, described, events = ended(calls, canvas)
    assert described.status is FAILED
    (activity,) = failures(events)
    assert (activity.message, activity.application_failure_info.type) == (text, "ValueError")
    assert activity.application_failure_info.non_retryable
    (workflow,) = failures(events, "WORKFLOW_EXECUTION_FAILED")
    with pytest.raises(ValueError, match="boom"):
        result.get(timeout=60)
    # Of a chord that is Celery's ChordError, as its body has it in the result backend.
    assert workflow.application_failure_info.type == type(result.result).__name__
    assert "boom" in workflow.message


@pytest.mark.servers
def test_a_failure_that_is_acknowledged_late_is_not_tried_again(calls, path):
    result, described, events = ended(calls, fails_late.s(path))
    assert described.status is FAILED
    assert len(failures(events)) == 1
    with open(path) as file:  # noqa: PTH123  # a path is text here
        assert file.read() == "late\n"
    with pytest.raises(KeyError):
        result.get(timeout=60)


@pytest.mark.servers
def test_a_failure_in_a_slice_fails_the_canvas(calls, monkeypatch):
    monkeypatch.setattr(driver, "SLICE", 2)
    canvas = chord([*(add.s(number) for number in range(4)), boom.s()], total.s())
    result, described, _ = ended(calls, canvas)
    assert described.status is FAILED
    assert "boom" in str(result.result)


@pytest.mark.servers
def test_what_a_failed_task_has_started_is_waited_for(calls, path):
    _, described, _ = ended(calls, starts_failing.s(path))
    assert described.status is FAILED
    with open(path) as file:  # noqa: PTH123  # a path is text here
        assert file.read() == "3\n"


@pytest.mark.servers
def test_a_failure_that_is_retried_or_caught_by_nobody_else_is_none(calls):
    _, described, events = ended(calls, flaky.s(1))
    assert (described.status, failures(events)) == (COMPLETED, [])


@pytest.mark.servers
def test_failures_can_be_left_to_the_results(calls):
    result, described, events = ended(calls, boom.s() | add.s(1), fail_workflows=False)
    assert (described.status, failures(events)) == (COMPLETED, [])
    with pytest.raises(ValueError, match="boom"):
        result.get(timeout=60)


@pytest.mark.servers
def test_a_canvas_of_an_older_release_ends_as_it_would_have(calls):
    prepared = prepare(app, boom.s())
    raw = Job((Branch(prepared.plan),), settings_of(app)).to_json()
    del raw["settings"]["fail_workflows"], raw["settings"]["heartbeat_timeout"]

    async def walk():
        handle = await calls.client.start_workflow(
            WORKFLOW, pack(raw), id=prepared.result.id, task_queue=calls.task_queue
        )
        await finish(calls.client, handle)
        return await handle.describe()

    assert calls.wait(walk()).status is COMPLETED
    assert prepared.result.state == "FAILURE"


@pytest.mark.servers
def test_the_list_says_which_canvas_it_is_and_with_what(calls):
    result, described, events = ended(calls, chord([add.s(1), add.s(2, y=5)], total.s()))
    named = f"({MODULE}.add x 2) | {MODULE}.total"
    assert described.id == f"{result.id} {named}"

    async def told():
        summary, details = await described.static_summary(), await described.static_details()
        return summary, details, await described.memo(), await find(calls.client, result.id)

    summary, details, memo, found = calls.wait(told())
    assert summary == named
    assert f"{MODULE}.add(2, y=5)" in details
    assert memo == {"canvas": named, "result": result.id}
    assert found == [described.id]
    scheduled = [
        event.user_metadata.summary.data.decode()
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert scheduled == ['"(1)"', '"(2, y=5)"', '"([2, 7])"']


def test_texts_fit_whatever_a_canvas_is_called_with():
    plan = prepare(app, add.s("ü" * 5_000, y=["x"] * 5_000)).plan
    texts = shown(plan, "the-result")
    assert len(texts.id.encode()) < 200
    assert len(texts.summary.encode()) <= 200
    assert len(texts.details.encode()) < 9_000
    wide = shown(prepare(app, chain(add.s(1), *(add.s(1) for _ in range(3_000)))).plan, "r")
    assert (len(wide.id.encode()) < 200, wide.details) == (True, "")


def test_arguments_that_celery_hides_are_hidden():
    plan = prepare(app, add.s("secret").set(argsrepr="('***',)")).plan
    texts = shown(plan, "r")
    assert "secret" not in f"{texts}"
    assert texts.summary == f"{MODULE}.add('***',)"


def test_an_error_of_any_shape_has_a_text_and_comes_back():
    for message, text in (
        ([], ""), (["one"], "one"), (["a", 1], "('a', 1)"), ("plain", "plain"), ([["x"]], "['x']"),
    ):  # fmt: skip
        error = {"exc_type": "Odd", "exc_module": "m", "exc_message": message}
        raised = failure(error, {"state": "FAILURE", "error": error})
        assert (raised.message, raised.type, raised.non_retryable) == (text, "Odd", True)
        assert detail_of(raised) == {"state": "FAILURE", "error": error}
    long = {"exc_type": "Odd", "exc_module": "m", "exc_message": ["x" * 500_000]}
    raised = failure(long, {"error": long})
    assert len(raised.message) == 2_000
    assert len(str(raised.details)) < 5_000
    assert detail_of(raised) == {"error": long}
    assert detail_of(ValueError("another")) is None


def test_settings_of_an_older_release_are_read():
    raw = Settings(fail_workflows=True, heartbeat_timeout=5.0).to_json()
    assert Settings.from_json(raw) == Settings(fail_workflows=True, heartbeat_timeout=5.0)
    del raw["fail_workflows"], raw["heartbeat_timeout"]
    assert Settings.from_json(raw) == Settings()


def test_an_attempt_says_which_one_it_is():
    from offcanvas.canvas.calls import TaskCall

    signature = {"task": "a.b", "args": [1], "kwargs": {"y": "z"}, "options": {}}
    assert call_summary(TaskCall(signature, "t", "t")) == "(1, y='z')"
    assert call_summary(TaskCall(signature, "t", "t", retries=2)) == "(1, y='z') retry 2"


@pytest.mark.servers
@pytest.mark.parametrize("given", [{}, {"heartbeat_timeout": 8.0}])
def test_the_heartbeat_timeout_is_the_one_asked_for(calls, given):
    canvas = chord([add.s(1), boom.s()], total.s())  # whose failure is stored by an activity too
    _, _, events = ended(calls, canvas, **given)
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    assert len(scheduled) == 3
    timeout = given.get("heartbeat_timeout", driver.HEARTBEAT_TIMEOUT)
    assert {one.heartbeat_timeout.ToTimedelta() for one in scheduled} == {
        timedelta(seconds=timeout)
    }


@pytest.mark.parametrize("timeout", [8.0, 60.0])
def test_a_heartbeat_is_sent_in_each_quarter_of_the_timeout(timeout, monkeypatch):
    """Each is an action that Temporal Cloud bills."""
    waited, beats = [], []

    async def task():
        pause = asyncio.sleep

        async def noted(seconds):
            waited.append(seconds)
            await pause(0)

        monkeypatch.setattr(activities.asyncio, "sleep", noted)
        async with activities._heartbeats():
            while len(beats) < 3:
                await pause(0)

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timedelta(seconds=timeout))
    environment.on_heartbeat = lambda *details: beats.append(details)
    asyncio.run(environment.run(task))
    assert set(waited) == {timeout / 4}
    assert len(waited) in {len(beats), len(beats) + 1}
