"""Tasks sent alone as Standalone Activities: one request to the server, and no workflow.

    activity of the task's name      the first attempt; most tasks have no other
    workflow, as for any canvas      what goes on after it: a retry, a replacement, a rate limit

A workflow stores what becomes of a task whose worker is lost, and hears what is revoked. Here the
server has another worker attempt the activity, which finds that the first one is lost, and whoever
revokes asks the server how far the activity is (``revoke_lone``).

https://docs.temporal.io/standalone-activity (public preview; server 1.31)
"""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import temporalio.client
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import CancelledError
from temporalio.service import RPCError, RPCStatusCode

from offcanvas.canvas.calls import REVOKED, Branch, TaskOutcome
from offcanvas.canvas.nodes import Task
from offcanvas.canvas.planner import result_id
from offcanvas.engines.bursts import is_lone
from offcanvas.engines.processes import journal
from offcanvas.engines.temporal.client import finish, revoke, settings_of, start_job
from offcanvas.engines.temporal.driver import GRACE, NO_LIMIT
from offcanvas.engines.temporal.failures import detail_of
from offcanvas.engines.temporal.job import Job, Settings
from offcanvas.engines.temporal.payload import MOST, pack, unpack
from offcanvas.engines.temporal.shown import Shown, call_summary, shown
from offcanvas.engines.walker import first_call
from offcanvas.errors import CanvasTooLarge, EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from temporalio.client import ActivityExecutionDescription, ActivityHandle

#: Why the server is asked to cancel an activity: it must not begin, or it is to be ended.
NOT_TO_BEGIN, TO_BE_ENDED = "revoked", "terminated"
#: In the input of an activity that has no workflow.
LONE = "lone"
#: Characters of an id of a task that is the activity's as well; longer ones have a workflow.
_LONGEST = 200
#: To a request to cancel: it has ended meanwhile, or has been cancelled before.
_TOO_LATE = {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.ALREADY_EXISTS,
}
#: Requests at a time.
_AT_A_TIME = 16

_offered: WeakKeyDictionary[Client, bool] = WeakKeyDictionary()


async def offered(client: Client) -> bool:
    """Whether the SDK can start an activity without a workflow, and the server takes it."""
    if client not in _offered:
        _offered[client] = _is_known() and await _is_there(client)
    return _offered[client]


def _is_known() -> bool:
    """Whether the SDK has all of it that is needed here."""
    handle = getattr(temporalio.client, "ActivityHandle", None)
    return handle is not None and "include_input" in inspect.signature(handle.describe).parameters


async def _is_there(client: Client) -> bool:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        found = await client.workflow_service.describe_namespace(request)
    except RPCError as error:
        raise EngineUnavailable(f"Temporal does not say what it can: {error.message}") from error
    return bool(getattr(found.namespace_info.capabilities, "standalone_activities", False))


def fits(app: Celery, branch: Branch) -> bool:
    """Whether the branch is a task that an activity can begin with.

    Not one that waits first (countdown, eta, a rate limit), that is revoked by other names than its
    id (stamps), or with which other things are sent.
    """
    node = branch.node
    if not isinstance(node, Task) or not is_lone(branch) or branch.following:
        return False
    options, task = node.options, app.tasks.get(node.name)
    return not (
        options.sent_beside
        or options.retries
        or options.stamps
        or len(options.task_id or "") > _LONGEST
        or (task is not None and task.rate_limit)
    )


async def start_lone(
    client: Client,
    app: Celery,
    branch: Branch,
    *,
    task_queue: str,
    settings: Settings | None = None,
    again: bool = False,
    **given: Any,
) -> ActivityHandle[Any]:
    """Start a task that ``fits``; the activity has the id of the task.

    Args:
        client: where to start it.
        app: the app whose task this is.
        branch: the task and its place.
        task_queue: the queue of a worker with ``CanvasPlugin(app)``.
        settings: those of a workflow, made of ``given`` (``settings_of``) unless they are there.
        again: it may have been started before, and does not run a second time then.
        **given: see ``settings_of``.

    Raises:
        CanvasTooLarge: it is more than the server takes.
        EngineUnavailable: the server did not take it.
    """
    from temporalio.common import ActivityIDReusePolicy
    from temporalio.exceptions import ActivityAlreadyStartedError

    node = branch.node
    assert isinstance(node, Task)  # noqa: S101  # see ``fits``
    settings = settings or settings_of(app, **given)
    since = time.time()
    packed = pack(
        {
            LONE: Job((branch,), settings).to_json(),
            "since": since,
            "entry": str(uuid.uuid4()),
            "task_queue": task_queue,
        }
    )
    if packed.payload.ByteSize() > MOST:
        raise CanvasTooLarge("the task is more than Temporal takes at a time")
    call = first_call(branch, node, lambda: since)
    options = call.signature["options"]
    limit = options.get("time_limit") or settings.time_limit
    try:
        return await client.start_activity(
            call.name,
            packed,
            id=call.task_id,
            task_queue=dict(settings.queues).get(options.get("queue"), task_queue),
            result_type=RawValue,
            start_to_close_timeout=timedelta(seconds=limit + GRACE) if limit else NO_LIMIT,
            heartbeat_timeout=timedelta(seconds=settings.heartbeat_timeout),
            # The second attempt is that of a worker which finds that the first one is lost.
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
            id_reuse_policy=(
                ActivityIDReusePolicy.REJECT_DUPLICATE
                if again
                else ActivityIDReusePolicy.ALLOW_DUPLICATE
            ),
            summary=call_summary(call),
        )
    except ActivityAlreadyStartedError as error:
        # As with workflows: both callers get the result.
        return client.get_activity_handle(call.task_id, run_id=error.run_id, result_type=RawValue)
    except RPCError as error:
        raise EngineUnavailable(f"Temporal did not take the task: {error.message}") from error


async def finish_lone(client: Client, handle: ActivityHandle[Any]) -> None:
    """Wait until the task, and all that it has started, is at its end.

    Raises:
        EngineError: the activity, or a workflow, was cut short, for example terminated.
    """
    from temporalio.client import ActivityFailureError

    try:
        answer = unpack(await handle.result())
    except ActivityFailureError as error:
        if isinstance(error.cause, CancelledError):
            return  # it was revoked
        answer = detail_of(error.cause)
        if answer is None:
            why = f"the activity {handle.id} was cut short: {error.cause}"
            raise EngineError(why) from error
    for name in answer.get("spawned", ()):
        await finish(client, client.get_workflow_handle(name, result_type=RawValue))
    for name in answer.get("sent", ()):
        await finish_lone(client, client.get_activity_handle(name, result_type=RawValue))


# -- what goes on as a workflow


def texts_of(branch: Branch, run: str) -> Shown:
    """The texts of the workflow that goes on after run ``run`` of an activity, with its id."""
    named = result_id(branch.node) or ""
    texts = shown(branch.node, named)
    return Shown(f"{texts.id} {run[:8]}", texts.summary, texts.details, texts.memo)


async def go_on(client: Client, app: Celery, job: Job, *, run: str, task_queue: str) -> str:
    """Have a workflow go on, one for each ``run``; its id."""
    texts = texts_of(job.branches[0], run)
    await start_job(client, app, job, texts, task_queue=task_queue, once=True)
    return texts.id


# -- revoke


async def revoke_everywhere(
    client: Client,
    app: Celery,
    ids: Sequence[str],
    *,
    terminate: bool = False,
    workflows: Sequence[str] = (),
) -> None:
    """``client.revoke``, and of tasks that have no workflow as well."""
    if await offered(client):
        places = asyncio.Semaphore(_AT_A_TIME)

        async def one(task_id: str) -> None:
            async with places:
                await revoke_lone(client, app, task_id, terminate=terminate)

        await asyncio.gather(*(one(task_id) for task_id in ids if len(task_id) <= _LONGEST))
    await revoke(client, ids, terminate=terminate, workflows=workflows)


async def revoke_lone(client: Client, app: Celery, task_id: str, *, terminate: bool) -> None:
    """The task of this id must not run, if it is an activity without a workflow.

    One that has not begun is cancelled, and a workflow stores that it is revoked. One that runs is
    ended if ``terminate``; otherwise it runs to its end, and what would go on after that does not.
    """
    handle = client.get_activity_handle(task_id)
    try:
        found = await handle.describe(include_input=True)
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            return
        raise
    given = await _given(found)
    if given is None:
        return
    handle = client.get_activity_handle(task_id, run_id=found.activity_run_id)
    waits, now = found.last_started_time is None, False
    if found.close_time is None and (waits or (terminate and _is_at_work(found))):
        await _cancel(handle, TO_BE_ENDED if terminate else NOT_TO_BEGIN)
        found = await handle.describe()
        now = True
    if _is_lost(found) or (_is_cancelled(found) and (now or found.last_started_time is None)):
        # No worker has it, and none will store what became of it.
        await _store_revoked(client, app, given, found)
        return
    if found.close_time is None:
        # Whoever has the task, or attempts it next, looks there.
        await asyncio.to_thread(
            journal.keep_always, app, journal.revoked_name(given["entry"]), TaskOutcome(REVOKED)
        )
    await _signal(client, given, found, task_id, terminate=terminate)


async def _given(found: ActivityExecutionDescription) -> dict[str, Any] | None:
    """The activity's input, if it is one of ours."""
    try:
        read = await found.input([RawValue])
        given = unpack(read[0]) if read else None
    except Exception:  # somebody else's, in whatever form
        return None
    return given if isinstance(given, dict) and LONE in given else None


def _is_at_work(found: ActivityExecutionDescription) -> bool:
    from temporalio.client import PendingActivityState

    return found.run_state == PendingActivityState.STARTED


def _is_lost(found: ActivityExecutionDescription) -> bool:
    """Its worker was lost when it was to end it: the server then attempts it no more."""
    from temporalio.client import ActivityExecutionStatus

    timed_out = found.status == ActivityExecutionStatus.TIMED_OUT
    return timed_out and found.canceled_reason is not None


def _is_cancelled(found: ActivityExecutionDescription) -> bool:
    from temporalio.client import ActivityExecutionStatus

    return found.status == ActivityExecutionStatus.CANCELED


async def _cancel(handle: ActivityHandle[Any], reason: str) -> None:
    try:
        await handle.cancel(reason=reason)
    except RPCError as error:
        if error.status not in _TOO_LATE:
            raise


async def _store_revoked(
    client: Client, app: Celery, given: dict[str, Any], found: ActivityExecutionDescription
) -> None:
    job = Job.from_json(given[LONE])
    revoked = Job(job.branches, job.settings, revoked=(found.activity_id,))
    run = found.activity_run_id or ""
    await go_on(client, app, revoked, run=run, task_queue=given["task_queue"])


async def _signal(
    client: Client,
    given: dict[str, Any],
    found: ActivityExecutionDescription,
    task_id: str,
    *,
    terminate: bool,
) -> None:
    """Tell the workflow that goes on after the activity, which may be too young to be listed."""
    (branch,) = Job.from_json(given[LONE]).branches
    name = texts_of(branch, found.activity_run_id or "").id
    try:
        await client.get_workflow_handle(name).signal("revoke", args=[[task_id], terminate])
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # there is none, or it has ended
            raise
