"""Limits, losses and revokes: what a worker and its pool do around a task."""

import asyncio
import os
import uuid
from contextlib import suppress

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from temporalio.client import WorkflowExecutionStatus

from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import prepare
from offcanvas.engines.temporal.client import finish, revoke, settings_of, start_canvas
from offcanvas.engines.temporal.job import WORKFLOW, Job
from offcanvas.engines.temporal.payload import pack
from offcanvas.engines.temporal.shown import shown
from offcanvas.errors import EngineError
from tests.engines.apart import (
    add,
    app,
    dies,
    dies_once,
    endless,
    interrupted,
    leaves,
    sleeps,
    where,
    write,
)
from tests.engines.files import wait_for

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


def test_a_soft_limit_interrupts(on_engine):
    assert on_engine(interrupted.s()).get() == "interrupted"


def test_a_hard_limit_kills_and_fires_errbacks(on_engine, path):
    outcome = on_engine(endless.s().on_error(write.si("errback", path=path)) | add.s(1))
    assert isinstance(outcome.error, TimeLimitExceeded)
    with open(path) as file:  # noqa: PTH123  # as above
        assert file.read() == "errback\n"


def test_a_hard_limit_in_a_header_fails_the_chord(on_engine):
    outcome = on_engine(chord([endless.s(), add.s(1)], add.si(1)))
    assert isinstance(outcome.error, TimeLimitExceeded)


def test_a_process_that_dies_fails_its_task_alone(on_engine):
    outcome = on_engine(chord([dies.s(), add.s(1)], add.si(1)))
    assert isinstance(outcome.error, WorkerLostError)
    assert str(outcome.error) == "Worker exited prematurely: signal 9 (SIGKILL)."
    assert str(on_engine(leaves.s(3)).error) == "Worker exited prematurely: exitcode 3."
    assert len(on_engine(group(where.s() for _ in range(4))).get()) == 4


def test_a_task_that_is_acknowledged_late_runs_again(on_engine, path):
    assert on_engine(dies_once.s(path)).get() == "survived"


def started(calls, canvas):
    prepared = prepare(app, canvas)
    handle = calls.wait(start_canvas(calls.client, app, prepared.plan, task_queue=calls.task_queue))
    return prepared.result, handle


def test_a_task_that_waits_is_revoked(calls, path):
    result, handle = started(calls, chain(write.s("ran", path=path).set(countdown=8), add.si(1)))
    ids = [result.parent.id]
    calls.wait(revoke(calls.client, ids, workflows=[handle.id]))
    calls.wait(finish(calls.client, handle))
    with pytest.raises(TaskRevokedError, match="revoked"):
        result.get(timeout=300)
    assert not os.path.exists(path)  # noqa: PTH110  # as above


def test_a_callback_that_was_revoked_before_it_was_sent_does_not_run(calls, path):
    callback = write.si("ran", path=path).set(task_id=str(uuid.uuid4()))
    plan = prepare(app, add.s(1).set(link=callback)).plan
    job = Job((Branch(plan),), settings_of(app), revoked=(callback.id,))
    begun = calls.client.start_workflow(
        WORKFLOW, pack(job.to_json()), id=str(uuid.uuid4()), task_queue=calls.task_queue
    )
    calls.wait(finish(calls.client, calls.wait(begun)))
    assert app.AsyncResult(callback.id).state == "REVOKED"
    assert not os.path.exists(path)  # noqa: PTH110  # as above


def test_a_workflow_that_is_cut_short_is_an_error_of_the_engine(calls, path):
    _, handle = started(calls, sleeps.s(path))
    wait_for(path)
    calls.wait(handle.terminate())
    with pytest.raises(EngineError, match="was cut short"):
        calls.wait(finish(calls.client, handle))


def test_a_caller_that_is_interrupted_leaves_no_canvas_behind(calls, path):
    plan = prepare(app, sleeps.s(path)).plan

    async def interrupted():
        walking = asyncio.create_task(calls._walk(app, plan, strict=False, timeout=None))
        await asyncio.to_thread(wait_for, path)
        walking.cancel()
        with suppress(asyncio.CancelledError):
            await walking
        workflow = shown(plan, plan.options.task_id).id
        handle = calls.client.get_workflow_handle(workflow)
        return (await handle.describe()).status

    assert calls.wait(interrupted()) is WorkflowExecutionStatus.TERMINATED


def test_a_running_task_is_terminated(calls, path):
    result, handle = started(calls, sleeps.s(path))
    wait_for(path)
    calls.wait(revoke(calls.client, [result.id], terminate=True, workflows=[handle.id]))
    calls.wait(finish(calls.client, handle))
    with pytest.raises(TaskRevokedError, match="terminated"):
        result.get(timeout=300)


def test_a_running_task_that_is_revoked_without_terminate_ends(calls, path):
    result, handle = started(calls, sleeps.s(path, 3))
    wait_for(path)
    calls.wait(revoke(calls.client, [result.id], workflows=[handle.id]))
    calls.wait(finish(calls.client, handle))
    assert result.get(timeout=300) is None
