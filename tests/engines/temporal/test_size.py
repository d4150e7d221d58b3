"""Wide groups, long chains and large values stay below the server's limits."""

import asyncio
import secrets

import pytest
from celery import chain, chord, group

from offcanvas._run import run
from offcanvas.canvas.calls import FAILURE, Branch, End
from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.temporal import client, driver
from offcanvas.engines.temporal.client import finish, start_canvas
from offcanvas.engines.temporal.job import Job, Report, Settings
from offcanvas.engines.temporal.payload import LARGE, MOST, pack, unpack
from offcanvas.engines.temporal.workflow import packed_report
from offcanvas.errors import CanvasTooLarge
from tests.engines.apart import (
    add,
    app,
    big,
    big_and_ignored,
    boom,
    length,
    random_text,
    total,
    waits_for,
    write,
)
from tests.engines.files import wait_for

pytestmark = pytest.mark.servers


def workflows(calls, canvas):
    """The workflow that walks a canvas, at its end, with its events, and its children's ids."""
    prepared = prepare(app, canvas)

    async def events():
        handle = await start_canvas(calls.client, app, prepared.plan, task_queue=calls.task_queue)
        await handle.result()
        return [event async for event in handle.fetch_history_events()]

    found = calls.wait(events())
    children = [
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id
        for event in found
        if event.HasField("start_child_workflow_execution_initiated_event_attributes")
    ]
    return prepared.result, found, children


def test_wide_groups_are_cut_into_children(calls, monkeypatch):
    monkeypatch.setattr(driver, "SLICE", 4)
    canvas = chord([*(add.s(i) for i in range(9)), chain(add.s(1), add.s(1))], total.s())
    result, _, children = workflows(calls, canvas)
    assert result.get(timeout=300) == sum(range(9)) + 9 + 3
    assert [child.rpartition("/")[2] for child in children] == ["1", "2", "3"]


def test_children_report_failures_and_what_was_started(on_engine, monkeypatch, tmp_path):
    monkeypatch.setattr(driver, "SLICE", 2)
    path = str(tmp_path / "written")
    linked = add.s(1).set(link=[write.s("linked", path=path)])
    outcome = on_engine(chord([linked, add.s(1), add.s(2), boom.s()], total.s()))
    assert repr(outcome.error) == "ValueError('boom', 0)"
    assert (tmp_path / "written").read_text() == "2 linked\n"


def test_a_long_chain_goes_on_in_a_new_run(calls, monkeypatch):
    monkeypatch.setattr(driver, "EVENTS", 20)
    result, events, _ = workflows(calls, chain(add.s(0), *(add.s(1) for _ in range(9))))
    assert result.get(timeout=300) == 10
    first = events[0].workflow_execution_started_event_attributes
    assert first.continued_execution_run_id
    assert len(events) < 40


def test_groups_of_a_long_history_are_walked_in_children(calls, monkeypatch):
    monkeypatch.setattr(driver, "EVENTS", 40)
    pair = [group(add.s(1), add.s(2)), total.s()]
    canvas = chord([add.s(0), add.s(0)], chain(total.s(), *(pair * 4)))
    result, _, children = workflows(calls, canvas)
    # Each pair makes n into (n + 1) + (n + 2).
    assert result.get(timeout=300) == 2 * (2 * (2 * (2 * 2 + 3) + 3) + 3) + 3
    assert 0 < len(children) < 4


def test_no_more_activities_than_allowed_are_in_flight(calls, monkeypatch):
    monkeypatch.setattr(driver, "IN_FLIGHT", 3)
    _, events, _ = workflows(calls, group(add.s(i) for i in range(10)))
    running = most = 0
    for event in events:
        running += event.HasField("activity_task_scheduled_event_attributes")
        running -= event.HasField("activity_task_completed_event_attributes")
        most = max(most, running)
    assert most == 3


def test_large_values_travel_by_reference(calls):
    size = 3_000_000  # more than the server takes
    result, events, _ = workflows(calls, big.s(size) | length.s())
    assert result.get(timeout=300) == size
    assert sum(event.ByteSize() for event in events) < 20_000


def test_references_inside_the_list_of_a_chord(on_engine):
    canvas = chord([big.s(5_000), big.s(10), big_and_ignored.s(6_000)], length.s())
    assert on_engine(canvas).get() == [5_000, 10, 6_000]


def test_a_large_plan_is_compressed():
    plan = prepare(app, chord([add.s(i) for i in range(2_000)], total.s())).plan
    job = Job((Branch(plan),), Settings())
    packed = pack(job.to_json())
    assert len(packed.payload.data) < 2_000 * 60
    assert Job.from_json(unpack(packed)) == job


def test_a_small_plan_stays_readable():
    assert pack({"canvas": 1}).payload.data == b'{"canvas":1}'
    assert pack("x" * LARGE).payload.metadata["encoding"] == b"json/zlib"


def test_errors_of_a_slice_that_are_too_much_together_are_cut():
    ends = tuple(
        End(
            FAILURE,
            error={"exc_type": "ValueError", "exc_message": [random_text.run(6_000)],
                   "exc_module": "builtins"},
            result_id=f"t{number}",
            unstored=number == 0,
        )
        for number in range(1_000)
    )  # fmt: skip
    few = Report(ends[:10], ("tree",))
    assert Report.from_json(unpack(packed_report(few))) == few
    packed = packed_report(Report(ends, ("tree",)))
    assert packed.payload.ByteSize() <= MOST
    read = Report.from_json(unpack(packed))
    assert (len(read.ends), read.spawned) == (1_000, ("tree",))
    for end, whole in zip(read.ends, ends, strict=True):
        assert end.error["exc_type"] == "ValueError"
        assert whole.error["exc_message"][0][:900] in end.error["exc_message"]
        # Whoever needs all of it reads it where its task has stored it, if it has.
        assert end.error.get("__offcanvas_result__") == (None if end.unstored else end.result_id)


def test_what_members_share_is_written_once():
    given = ("y" * 1_000,)
    then = prepare(app, add.s(1)).plan
    branches = tuple(Branch(prepare(app, add.s(i)).plan, given, then=then) for i in range(10))
    job = Job(branches, Settings(late=("a",), queues=(("fast", "there"),)), revoked=("b",))
    assert Job.from_json(unpack(pack(job.to_json()))) == job
    assert len(pack(job.to_json()).payload.data) < 5_000


def test_a_large_value_that_is_gone_fails_the_task_that_needs_it(calls, tmp_path):
    path, told = tmp_path / "forgotten", str(tmp_path / "told")
    # The callback runs once the engine has been told of the result, and where it is.
    first = big.s(5_000).set(link=write.si("told", path=told))
    prepared = prepare(app, chord([first, waits_for.s(str(path))], length.s()))
    large = prepared.result.parent.results[0]

    async def forget_in_between():
        handle = await start_canvas(calls.client, app, prepared.plan, task_queue=calls.task_queue)
        await asyncio.to_thread(wait_for, told)
        large.forget()
        path.touch()
        await finish(calls.client, handle)

    calls.wait(forget_in_between())
    with pytest.raises(LookupError, match="no longer in the result backend"):
        prepared.result.get(timeout=300, disable_sync_subtasks=False)


def test_a_wide_plan_that_is_too_large_is_read_from_the_result_backend(calls, monkeypatch):
    monkeypatch.setattr(client, "MOST", 20_000)
    monkeypatch.setattr(client, "PIECE", 20_000)
    monkeypatch.setattr(driver, "SLICE", 200)
    canvas = chord([add.s(number) for number in range(1_200)], total.s())
    result, events, children = workflows(calls, canvas)
    assert result.get(timeout=300) == sum(range(1_200)) + 1_200
    started = events[0].workflow_execution_started_event_attributes
    assert started.input.payloads[0].ByteSize() < 1_000
    assert len(children) == 6


def test_a_canvas_too_large_for_the_server_is_refused_before_anything_starts(monkeypatch):
    # A server that is asked would not answer.
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    with pytest.raises(CanvasTooLarge, match=r"[\d,]+ bytes, compressed, and Temporal takes 2,097"):
        run(length.s(secrets.token_hex(3_000_000)), on="temporal")
