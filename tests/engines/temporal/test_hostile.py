"""Workflows that somebody has started by hand, with whatever for a canvas."""

import re
import uuid
import zlib
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import ActivityFailureError, WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from offcanvas.engines.temporal.job import (
    FAIL_CHORD,
    KEEP_TEXT,
    LOAD_TEXT,
    LOSE_BATCH,
    LOSE_TASK,
    REVOKE_TASK,
    STORE_FAILURES,
    WORKFLOW,
)
from offcanvas.engines.temporal.lone import LONE
from offcanvas.engines.temporal.payload import pack
from tests.engines.apart import add
from tests.engines.private import leaves_no_process_when_killed, runs_on_a_private_server

pytestmark = pytest.mark.servers

JOBS = {
    "nothing": pack(None),
    "a list": pack([1, 2]),
    "another object": pack({"branches": "x"}),
    "an unknown kind": pack({"branches": [{"node": {"kind": "shell"}}], "settings": {}}),
    "no JSON": RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{")),
    "no encoding": RawValue(Payload(data=b"x")),
    "nested deeply": RawValue(
        Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 100_000 + b"]" * 100_000)
    ),
    "a bomb": RawValue(
        Payload(metadata={"encoding": b"json/zlib"}, data=zlib.compress(b" " * 100_000_000))
    ),
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_what_is_no_canvas_fails_its_workflow_alone(calls, on_engine, job):
    async def run():
        name = f"by-hand-{uuid.uuid4()}"
        await calls.client.execute_workflow(WORKFLOW, job, id=name, task_queue=calls.task_queue)

    with pytest.raises(WorkflowFailureError) as failure:
        calls.wait(run())
    assert isinstance(failure.value.cause, ApplicationError)
    assert "this is not a canvas of offcanvas" in str(failure.value.cause)
    assert on_engine(add.s(1)).get() == 2


#: What looks like a task, in parts.
CALLS = {
    "no call": pack({"call": None}),
    "an empty call": pack({"call": {}}),
    "a call of nothing": pack({"call": {"signature": 7, "task_id": [], "args": "x"}}),
    "calls that are none": pack({"calls": 7}),
    "a task alone of nothing": pack({LONE: 7}),
    "a task alone of no canvas": pack({LONE: {"branches": [], "settings": {}}, "since": 0}),
    "a call without arguments": pack(
        {"call": {"signature": {"task": add.name}, "task_id": "1", "root_id": "1"}, "strict": False}
    ),
}

ERROR = {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}
SIGNATURE = {"task": add.name, "args": [1], "kwargs": {}, "options": {}}
CALL = {"signature": SIGNATURE, "task_id": "by-hand", "root_id": "by-hand"}
ENTRY = "11111111-1111-1111-1111-111111111111"
#: What an activity is given that no task's is, JSON as it should be but for what the text says.
NONSENSE = [
    (STORE_FAILURES, {}, "task_ids is missing"),
    (STORE_FAILURES, {"task_ids": "all", "error": ERROR}, "task_ids has to be a list"),
    (STORE_FAILURES, {"task_ids": [7], "error": ERROR}, r"task_ids\[0\] has to be a text"),
    (STORE_FAILURES, {"task_ids": [], "error": "no"}, "error has to be an object"),
    (STORE_FAILURES, {"task_ids": [], "error": {}}, "error.exc_type is missing"),
    (STORE_FAILURES, {"task_ids": [], "error": ERROR, "culprit": 3}, "culprit has to be a text"),
    (FAIL_CHORD, {"failure": 7, "strict": False}, "failure has to be an object"),
    (FAIL_CHORD, {"failure": {"body": SIGNATURE, "error": ERROR}}, "strict is missing"),
    (
        FAIL_CHORD,
        {"failure": {"body": {**SIGNATURE, "options": []}, "error": ERROR}, "strict": False},
        "failure.body.options has to be an object",
    ),
    (LOSE_TASK, {"call": CALL, "strict": False}, "why is missing"),
    (
        LOSE_TASK,
        {"call": {**CALL, "retries": "3"}, "strict": False, "why": "x"},
        "call.retries has",
    ),
    (
        LOSE_TASK,
        {"call": CALL, "strict": False, "why": "x", "entry": "e"},
        "entry has to be a UUID",
    ),
    (REVOKE_TASK, {"call": {**CALL, "task_id": None}, "strict": False}, "call.task_id has to be a"),
    (REVOKE_TASK, {"call": CALL, "strict": "no"}, "strict has to be true or false"),
    (KEEP_TEXT, {"text": 7, "place": ENTRY}, "text has to be a text"),
    (LOAD_TEXT, {"place": None}, "place has to be a text"),
    (
        LOSE_BATCH,
        {"calls": [CALL], "entries": [ENTRY], "why": "x", "strict": False},
        "ended is missing",
    ),
    (
        LOSE_BATCH,
        {"calls": [CALL], "entries": [ENTRY, ENTRY], "why": "x", "strict": False, "ended": 0},
        "calls and entries are not of one length",
    ),
]


@pytest.mark.parametrize("job", [*JOBS.values(), *CALLS.values()], ids=[*JOBS, *CALLS])
def test_what_is_no_task_fails_its_activity_alone(calls, on_engine, job):
    async def run(name):
        handle = await calls.client.start_activity(
            name,
            job,
            id=f"by-hand-{uuid.uuid4()}",
            task_queue=calls.task_queue,
            schedule_to_close_timeout=timedelta(minutes=2),
            start_to_close_timeout=timedelta(minutes=2),
        )
        await handle.result()

    # What stores failures is given objects of other kinds.
    for name in (add.name,) if job.payload.data.startswith(b'{"') else (add.name, STORE_FAILURES):
        with pytest.raises(ActivityFailureError) as failure:
            calls.wait(run(name))
        # Once: trying again would not make it one.
        assert isinstance(failure.value.cause, ApplicationError)
        assert "this is not a task of offcanvas" in str(failure.value.cause)
    assert on_engine(add.s(1)).get() == 2


@pytest.mark.parametrize(("name", "given", "told"), NONSENSE)
def test_what_stores_fails_once_of_what_makes_no_sense(calls, name, given, told):
    async def run():
        handle = await calls.client.start_activity(
            name, pack(given), id=f"by-hand-{uuid.uuid4()}", task_queue=calls.task_queue,
            schedule_to_close_timeout=timedelta(minutes=2),
        )  # fmt: skip
        await handle.result()

    with pytest.raises(ActivityFailureError) as failure:
        calls.wait(run())
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.non_retryable
    assert re.search(f"^this is not a task of offcanvas: {told}", cause.message), cause.message


def test_a_private_server_is_reached_without_what_is_for_others(tmp_path):
    runs_on_a_private_server("temporal", tmp_path)


def test_a_run_that_is_killed_leaves_no_process(tmp_path):
    leaves_no_process_when_killed("temporal", tmp_path)
