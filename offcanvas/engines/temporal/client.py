"""Starting canvases and following them, with a Temporal client."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from offcanvas.canvas import wire
from offcanvas.canvas.calls import Branch
from offcanvas.canvas.nodes import Group
from offcanvas.canvas.planner import result_id
from offcanvas.engines.batches import Batch
from offcanvas.engines.processes.reference import store_text
from offcanvas.engines.temporal import driver
from offcanvas.engines.temporal.failures import detail_of
from offcanvas.engines.temporal.job import STORED, WORKFLOW, Job, Report, Settings
from offcanvas.engines.temporal.payload import MOST, pack, unpack
from offcanvas.engines.temporal.shown import Shown, shown
from offcanvas.errors import CanvasTooLarge, EngineError, EngineUnavailable

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node


#: Bytes of a job that is left in the result backend: a history holds 50 MB, and has it twice.
MOST_STORED = 12 * 1024 * 1024
#: Characters that are stored at a time.
PIECE = 1_000_000
_ALWAYS = WorkflowIDReusePolicy.ALLOW_DUPLICATE
_NEVER_AGAIN = WorkflowIDReusePolicy.REJECT_DUPLICATE


def settings_of(
    app: Celery,
    *,
    strict: bool = False,
    queues: Mapping[str, str] | None = None,
    fail_workflows: bool = True,
    heartbeat_timeout: float = driver.HEARTBEAT_TIMEOUT,
    batch: Batch = None,
) -> Settings:
    """What a workflow has to know of ``app``; the arguments are those of ``start_canvas``."""
    late = sorted(name for name, task in app.tasks.items() if task.acks_late)
    return Settings(
        strict=strict,
        time_limit=app.conf.task_time_limit,
        late=tuple(late),
        queues=tuple((queues or {}).items()),
        slice=driver.SLICE,
        fail_workflows=fail_workflows,
        heartbeat_timeout=heartbeat_timeout,
        batch=batch,
    )


def packed_job(app: Celery, branch: Branch, **given: Any) -> RawValue:
    """What the workflow is started with; ``given`` is for ``settings_of``.

    Raises:
        CanvasTooLarge: a server with Temporal's own limits would refuse it.
    """
    raw = Job((branch,), settings_of(app, **given)).to_json()
    packed = pack(raw)
    return packed if _is_only_wide(packed, raw) else _fitting(packed)


def _is_only_wide(packed: RawValue, raw: dict[str, Any]) -> bool:
    """Whether a job is too large for one message, and each of its slices is not."""
    if packed.payload.ByteSize() <= MOST:
        return False
    pages: list[list[str]] = []
    rest = _without_pages(raw, pages)
    slices = -(-driver.SLICE // wire.PAGE) + 1
    widest = max(
        (
            sum(map(len, texts[first : first + slices]))
            for texts in pages
            for first in range(len(texts))
        ),
        default=0,
    )
    total = sum(len(text) for texts in pages for text in texts)
    small = pack(rest).payload.ByteSize() + widest <= MOST
    return bool(pages) and small and total <= MOST_STORED


def _without_pages(raw: Any, pages: list[list[str]]) -> Any:
    if isinstance(raw, list):
        return [_without_pages(one, pages) for one in raw]
    if not isinstance(raw, dict):
        return raw
    if raw.get("kind") == "group" and "pages" in raw:
        pages.append(raw["pages"])
    return {
        name: _without_pages(one, pages)
        for name, one in raw.items()
        if name != "pages" or raw.get("kind") != "group"
    }


def _sent_job(app: Celery, packed: RawValue) -> RawValue:
    """What the workflow is started with: the job, or where in the result backend it is."""
    if packed.payload.ByteSize() <= MOST:
        return packed
    text = json.dumps(unpack(packed), separators=(",", ":"))
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return pack({STORED: [store_text(app, piece) for piece in pieces]})


def _fitting(packed: RawValue) -> RawValue:
    size = packed.payload.ByteSize()
    if size > MOST:
        raise CanvasTooLarge(
            f"the canvas comes to {size:,} bytes, compressed, and Temporal takes {MOST:,} at a "
            f"time: pass large values by reference, a key or a path, or start it in parts"
        )
    return packed


async def start_canvas(
    client: Client,
    app: Celery,
    plan: Node | Branch,
    *,
    task_queue: str,
    strict: bool = False,
    queues: Mapping[str, str] | None = None,
    fail_workflows: bool = True,
    heartbeat_timeout: float = driver.HEARTBEAT_TIMEOUT,
    batch: Batch = None,
    once: bool = False,
) -> WorkflowHandle[Any, Any]:
    """Start a prepared plan (``prepare.prepare``); the handle's workflow walks it.

    Args:
        client: where to start it.
        app: the app whose tasks these are.
        plan: nodes with ids, or a branch with such a node and its place.
        task_queue: the queue of a worker with ``CanvasPlugin(app)``.
        strict: do as Celery does where it does otherwise than it documents.
        queues: Celery's queue to the task queue of the worker that serves it.
        fail_workflows: a canvas that fails is a failed workflow and its task a failed activity.
            With False both are completed, and the failure is in their results.
        heartbeat_timeout: seconds without a heartbeat after which a worker counts as lost. Tasks
            send one in each quarter of it, which Temporal Cloud bills as an action.
        batch: members of a group that run in one activity, one after the other in one process:
            "auto" for as many as take half a second, or a number. None for one by one.
        once: the workflow's id is the result's, and a workflow of this id is never started again,
            whether it runs or has ended.

    Raises:
        CanvasTooLarge: it is more than the server takes.
        EngineUnavailable: the server did not take it.
    """
    branch = plan if isinstance(plan, Branch) else Branch(plan)
    packed = packed_job(
        app,
        branch,
        strict=strict,
        queues=queues,
        fail_workflows=fail_workflows,
        heartbeat_timeout=heartbeat_timeout,
        batch=batch,
    )
    packed = _sent_job(app, packed)
    texts = shown(branch.node, result_id(branch.node) or str(uuid.uuid4()))
    name = (result_id(branch.node) if once else None) or texts.id
    try:
        return await _start(client, packed, name, texts, task_queue, once=once)
    except WorkflowAlreadyStartedError:
        # Two calls with the same task_id are one task, and both callers get its result. When it has
        # ended it may run again, as on Celery.
        return client.get_workflow_handle(name, result_type=RawValue)
    except RPCError as error:
        raise EngineUnavailable(f"Temporal did not take the canvas: {error.message}") from error


async def _start(
    client: Client, packed: RawValue, name: str, texts: Shown, task_queue: str, *, once: bool
) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        WORKFLOW,
        packed,
        id=name,
        task_queue=task_queue,
        result_type=RawValue,
        static_summary=texts.summary,
        static_details=texts.details,
        memo=texts.memo,
        id_reuse_policy=_NEVER_AGAIN if once else _ALWAYS,
    )


async def start_job(
    client: Client, app: Celery, job: Job, texts: Shown, *, task_queue: str, once: bool
) -> WorkflowHandle[Any, Any] | None:
    """Have a workflow with these texts do the job; None if there is one, or was if ``once``.

    Raises:
        CanvasTooLarge: it is more than the server takes.
        EngineUnavailable: the server did not take it.
    """
    packed = await asyncio.to_thread(_stored_job, app, job)
    try:
        return await _start(client, packed, texts.id, texts, task_queue, once=once)
    except WorkflowAlreadyStartedError:
        return None
    except RPCError as error:
        raise EngineUnavailable(f"Temporal did not take the canvas: {error.message}") from error


def _stored_job(app: Celery, job: Job) -> RawValue:
    return _sent_job(app, pack(job.to_json()))


async def start_burst(
    client: Client, app: Celery, branches: Sequence[Branch], *, task_queue: str, **given: Any
) -> WorkflowHandle[Any, Any]:
    """Start tasks that were sent alone, in one workflow; ``given`` is for ``settings_of``.

    Raises:
        CanvasTooLarge: they are more than the server takes.
        EngineUnavailable: the server did not take them.
    """
    job = Job(tuple(branches), settings_of(app, **given), burst=True)
    packed = _fitting(pack(job.to_json()))
    texts = shown(Group(members=tuple(branch.node for branch in branches)), str(uuid.uuid4()))
    try:
        return await _start(client, packed, texts.id, texts, task_queue, once=False)
    except RPCError as error:
        raise EngineUnavailable(f"Temporal did not take the tasks: {error.message}") from error


async def find(client: Client, result: str) -> list[str]:
    """Ids of the workflows that were started for the result of this id, as the server lists them.

    A canvas that was started this moment may not be listed yet.
    """
    begins = result.replace("\\", "\\\\").replace("'", "\\'")
    named = f"(WorkflowId STARTS_WITH '{begins} ' OR WorkflowId = '{begins}')"
    query = f"WorkflowType = '{WORKFLOW}' AND {named}"
    return [found.id async for found in client.list_workflows(query) if found.parent_id is None]


async def finish(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the canvas, and every tree that its tasks have started, is at its end.

    Raises:
        EngineError: a workflow was cut short, for example terminated.
    """
    waiting = [handle.id]
    while waiting:
        one = client.get_workflow_handle(waiting.pop(), result_type=RawValue)
        try:
            report = await one.result()
        except WorkflowFailureError as error:
            failed = detail_of(error.cause)
            if failed is not None:
                waiting += failed["spawned"]
                continue
            raise EngineError(f"the workflow {one.id} was cut short: {error.cause}") from error
        waiting += Report.from_json(unpack(report)).spawned


async def revoke(
    client: Client, ids: Sequence[str], *, terminate: bool = False, workflows: Sequence[str] = ()
) -> None:
    """Tell every canvas that runs that these tasks must not.

    As with Celery, where a revoke goes to every worker: only the plan knows where a task is.
    ``workflows`` are ids of canvases so young that the server may not list them yet.
    """
    query = f"WorkflowType = '{WORKFLOW}' AND ExecutionStatus = 'Running'"
    listed = [found.id async for found in client.list_workflows(query)]
    for workflow in dict.fromkeys([*workflows, *listed]):
        try:
            await client.get_workflow_handle(workflow).signal("revoke", args=[list(ids), terminate])
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                raise
