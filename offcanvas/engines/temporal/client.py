"""Starting canvases and following them, with a Temporal client."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from offcanvas.canvas.rules import result_id
from offcanvas.engines.temporal import driver
from offcanvas.engines.temporal.job import WORKFLOW, Job, Report, Settings
from offcanvas.engines.temporal.payload import pack, unpack
from offcanvas.engines.walker import Branch
from offcanvas.errors import CanvasTooLarge, EngineError, EngineUnavailable

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node

#: Bytes of one payload: the server's ``limit.blobSize.error``, unless it is set otherwise there.
MOST = 2 * 1024 * 1024


async def connect(address: str | None = None) -> Client:
    """A client of the server at ``address``, otherwise configured as Temporal's own tools are.

    Without an address: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the other variables, or the
    profile in Temporal's configuration file (``temporalio.envconfig``).

    Raises:
        EngineUnavailable: no server answers there.
    """
    given: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    if address is not None:
        given["target_host"] = address
    given.setdefault("target_host", "localhost:7233")
    try:
        return await Client.connect(**given)
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        # The core reports a refused connection as a RuntimeError, nested in its own language's.
        reason = " ".join(str(error).split())
        inner = re.findall(r'(?:message|error): "([^"]+)"', reason)
        raise EngineUnavailable(
            f"no Temporal server answers at {given['target_host']} ({[reason, *inner][-1]:.120}); "
            f"start one, or set TEMPORAL_ADDRESS"
        ) from None


def settings_of(
    app: Celery, *, strict: bool = False, queues: Mapping[str, str] | None = None
) -> Settings:
    """What a workflow has to know of ``app``."""
    late = sorted(name for name, task in app.tasks.items() if task.acks_late)
    return Settings(
        strict=strict,
        time_limit=app.conf.task_time_limit,
        late=tuple(late),
        queues=tuple((queues or {}).items()),
        slice=driver.SLICE,
    )


def packed_job(
    app: Celery, branch: Branch, *, strict: bool = False, queues: Mapping[str, str] | None = None
) -> RawValue:
    """What the workflow is started with.

    Raises:
        CanvasTooLarge: a server with Temporal's own limits would refuse it.
    """
    job = Job((branch,), settings_of(app, strict=strict, queues=queues))
    packed = pack(job.to_json())
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
) -> WorkflowHandle[Any, Any]:
    """Start a prepared plan (``prepare.prepare``); the handle's workflow walks it.

    Args:
        client: where to start it.
        app: the app whose tasks these are.
        plan: nodes with ids, or a branch with such a node and its place.
        task_queue: the queue of a worker with ``CanvasPlugin(app)``.
        strict: do as Celery does where it does otherwise than it documents.
        queues: Celery's queue to the task queue of the worker that serves it.

    Raises:
        CanvasTooLarge: it is more than the server takes.
        EngineUnavailable: the server did not take it.
    """
    branch = plan if isinstance(plan, Branch) else Branch(plan)
    packed = packed_job(app, branch, strict=strict, queues=queues)
    name = f"canvas-{result_id(branch.node) or uuid.uuid4()}"
    try:
        try:
            return await _start(client, packed, name, task_queue)
        except WorkflowAlreadyStartedError:
            # Two calls with the same task_id: Celery runs both.
            return await _start(client, packed, f"{name}-{uuid.uuid4()}", task_queue)
    except RPCError as error:
        raise EngineUnavailable(f"Temporal did not take the canvas: {error.message}") from error


async def _start(
    client: Client, packed: RawValue, name: str, task_queue: str
) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        WORKFLOW, packed, id=name, task_queue=task_queue, result_type=RawValue
    )


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
