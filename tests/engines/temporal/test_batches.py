"""Batches on Temporal: several members of a group in one activity."""

import asyncio
import json
from contextlib import ExitStack

import pytest
from celery import group
from temporalio.common import RawValue

from offcanvas._reroute import reroute
from offcanvas.engines.temporal import batch as activity
from offcanvas.engines.temporal.caller import caller
from offcanvas.engines.temporal.client import finish, revoke, start_canvas
from offcanvas.engines.temporal.payload import unpack
from offcanvas.servers import temporal
from tests.engines import workers
from tests.engines.apart import app, counted, fails_with, mixed, starts_with, write
from tests.engines.batched import BatchSuite, started
from tests.engines.files import lines

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]
TASK_QUEUE = "batches"


def batches_of(calls, handle):
    """The activities of a workflow: name, summary, and what the batch has said."""

    async def events():
        found = {}
        async for event in handle.fetch_history_events():
            if event.HasField("activity_task_scheduled_event_attributes"):
                scheduled = event.activity_task_scheduled_event_attributes
                summary = json.loads(event.user_metadata.summary.data or b'""')
                found[event.event_id] = [scheduled.activity_type.name, summary, ""]
            if event.HasField("activity_task_completed_event_attributes"):
                done = event.activity_task_completed_event_attributes
                answer = unpack(RawValue(done.result.payloads[0]))
                if isinstance(answer, dict):
                    found[done.scheduled_event_id][2] = answer.get("batch", "")
        return list(found.values())

    return calls.wait(events())


def starter(calls, task_queue=None, handles=None):
    def start(canvas, batch):
        plan, result = started(canvas)
        handle = calls.wait(
            start_canvas(
                calls.client,
                app,
                plan,
                task_queue=task_queue or calls.task_queue,
                batch=batch,
                heartbeat_timeout=4.0,
            )
        )
        if handles is not None:
            handles.append(handle)
        return result, lambda: calls.wait(asyncio.wait_for(finish(calls.client, handle), 300))

    return start


class TestBatches(BatchSuite):
    @pytest.fixture
    def handles(self):
        return []

    @pytest.fixture
    def batched(self, request, calls, handles):
        elsewhere = "worker" in request.fixturenames
        return starter(calls, TASK_QUEUE if elsewhere else None, handles)

    @pytest.fixture
    def revoke(self, calls, handles):
        def tell(ids, *, terminate):
            workflows = [handle.id for handle in handles]
            calls.wait(revoke(calls.client, ids, terminate=terminate, workflows=workflows))

        return tell

    @pytest.fixture
    def worker(self, address):
        def run():
            options = ("--processes", "2", "--task-queue", TASK_QUEUE)
            module = "offcanvas.engines.temporal"
            return workers.running(module, *options, TEMPORAL_ADDRESS=address)

        return run

    @pytest.fixture
    def switched(self, address, calls, monkeypatch):
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        monkeypatch.setenv("OFFCANVAS_TASK_QUEUE", calls.task_queue)
        return lambda **given: reroute(app, to="temporal", **given)

    @pytest.fixture
    def own_server(self, calls):
        with ExitStack() as stack:
            server = stack.enter_context(temporal())
            there = stack.enter_context(caller(server.url, TASK_QUEUE))
            options = ("--processes", "2", "--task-queue", TASK_QUEUE)
            module = "offcanvas.engines.temporal"
            stack.enter_context(workers.running(module, *options, TEMPORAL_ADDRESS=server.url))
            yield server, starter(there)


def test_a_batch_says_what_ran(calls, tmp_path):
    handles = []
    members = [mixed.s("fails" if one in {2, 4} else "runs") for one in range(5)]
    _, wait = starter(calls, handles=handles)(group(members), 5)
    wait()
    ((name, summary, said),) = batches_of(calls, handles[0])
    assert name == mixed.name
    assert summary == "x 5: ('runs'), ..."
    assert said == "3 SUCCESS, 2 FAILURE: [2] ValueError: ['fails'], [4] ValueError: ['fails']"


def test_long_members_are_not_queued_behind_one_another(calls, tmp_path):
    handles = []
    path = str(tmp_path / "noted")
    members = [counted.s(one, path, None, 0.6) for one in range(10, 22)]
    _, wait = starter(calls, handles=handles)(group(members), "auto")
    wait()
    said = [one[2] for one in batches_of(calls, handles[0])]
    # Each alone: the first that has taken longer than a batch is to take has shown it.
    assert said == ["1 SUCCESS"] * 12
    assert lines(path) == sorted(map(str, range(10, 22)))


def test_outcomes_are_no_more_than_the_server_takes(calls, monkeypatch, tmp_path):
    monkeypatch.setattr(activity, "MOST", 30_000)
    path = str(tmp_path / "noted")
    small = [fails_with.s(size) for size in (200, 60_000, 200, 60_000, 200)]
    result, wait = starter(calls)(group(small), 5)
    wait()
    assert [len(one.result.args[0]) for one in result.children] == [200, 60_000, 200, 60_000, 200]
    large = [starts_with.s(size, path=path) for size in (10, 2_000_000, 10)]
    result, wait = starter(calls)(group(large), 3)
    wait()
    assert [one.state for one in result.children] == ["SUCCESS"] * 3
    assert lines(path) == ["10", "10", "2000000"]


def test_a_worker_may_take_less_of_a_batch(calls, address, tmp_path):
    handles = []
    path = str(tmp_path / "noted")
    options = ("--processes", "1", "--task-queue", "few", "--batch", "2")
    with workers.running("offcanvas.engines.temporal", *options, TEMPORAL_ADDRESS=address):
        members = [write.s(one, path=path) for one in range(5)]
        _, wait = starter(calls, "few", handles)(group(members), 5)
        wait()
    said = [one[2] for one in batches_of(calls, handles[0])]
    assert said == ["2 SUCCESS, 3 LEFT", "2 SUCCESS, 1 LEFT", "1 SUCCESS"] or said == [
        "3 LEFT, 2 SUCCESS", "2 SUCCESS, 1 LEFT", "1 SUCCESS",
    ]  # fmt: skip
    assert lines(path) == [*"01234"]
