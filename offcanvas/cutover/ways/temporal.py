"""What is asked of a Temporal server, and the way to a workflow of one's own there."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import WorkflowExecutionStatus as Status
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from offcanvas.cutover.calls import Call
from offcanvas.cutover.claims import FAILURE, SUCCESS, Claim
from offcanvas.cutover.rules import Rule
from offcanvas.cutover.ways.base import Ended, Ready, Refused
from offcanvas.cutover.ways.plain import begins_at, plain, require_carried
from offcanvas.engines.temporal.caller import Caller, caller
from offcanvas.engines.temporal.connection import names_a_server
from offcanvas.errors import EngineUnavailable, UsageError
from offcanvas.port.names import camel

if TYPE_CHECKING:
    from celery import Celery

#: Seconds for which it is remembered that somebody polls a queue.
_POLLED = 30.0
_NO = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.UNIMPLEMENTED,
    }
)


class TemporalServer:
    """See ``base.Server``."""

    def __init__(self, calls: Caller, task_queue: str) -> None:
        self.calls = calls
        self.task_queue = task_queue
        self._polled = -_POLLED

    def require_taker(self) -> None:
        """See ``Server.require_taker``."""
        if time.monotonic() - self._polled < _POLLED:
            return
        missing = self.look()
        if missing:
            raise EngineUnavailable(f"{missing[0]}; nothing was sent")
        self._polled = time.monotonic()

    def look(self) -> list[str]:
        """See ``Server.look``."""
        if self.calls.wait(self._is_polled()):
            return []
        return [f"no worker polls the task queue {self.task_queue!r} on Temporal: start one"]

    async def _is_polled(self) -> bool:
        client = self.calls.client
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=self.task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            answer = await client.workflow_service.describe_task_queue(request)
        except RPCError as error:
            raise EngineUnavailable(f"Temporal does not answer: {error.message}") from error
        return len(answer.pollers) > 0

    def is_refusal(self, error: BaseException | None) -> bool:
        """See ``Server.is_refusal``."""
        return isinstance(error, RPCError) and error.status in _NO

    def ended(self, claim_id: str, *, read: bool) -> Ended | None:
        """See ``Server.ended``."""
        return self.calls.wait(self._ended(claim_id, read))

    async def _ended(self, claim_id: str, read: bool) -> Ended | None:
        handle: Any = self.calls.client.get_workflow_handle(claim_id)
        try:
            found = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise EngineUnavailable(f"Temporal does not answer: {error.message}") from error
        if found.status in {None, Status.RUNNING, Status.CONTINUED_AS_NEW}:
            return None
        at = found.close_time.timestamp() if found.close_time else None
        if not read:
            return Ended(SUCCESS if found.status is Status.COMPLETED else FAILURE, at)
        try:
            return Ended(SUCCESS, at, value=await handle.result(), stored=False)
        except WorkflowFailureError as error:
            return Ended(FAILURE, at, error=_kind_and_text(error), stored=False)

    def cut_short(self, claim_id: str) -> bool:
        """See ``Server.cut_short``."""
        return self.calls.wait(self._cut_short(claim_id))

    async def _cut_short(self, claim_id: str) -> bool:
        handle: Any = self.calls.client.get_workflow_handle(claim_id)
        try:
            await handle.terminate("moved back to Celery")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise EngineUnavailable(f"Temporal does not answer: {error.message}") from error
        try:
            found = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # it never began
                return True
            raise EngineUnavailable(f"Temporal does not answer: {error.message}") from error
        return bool(found.status is Status.TERMINATED)


class TemporalPort:
    """The way to a workflow that is not the kit's; see ``base.Way``.

    The workflow is called after the root's function and the task queue after its package, as
    ``offcanvas port`` calls them, unless the rule names others.
    """

    def __init__(self, app: Celery, rule: Rule) -> None:
        if not names_a_server():
            raise UsageError(
                "nothing says where the Temporal server is: set TEMPORAL_ADDRESS, or name it in "
                "Temporal's configuration file"
            )
        self.app = app
        self.rule = rule
        module, _, function = rule.root.rpartition(":" if ":" in rule.root else ".")
        self.workflow = rule.workflow or camel(function)
        queue = rule.task_queue or module.partition(".")[0]
        if not queue:
            raise UsageError(
                f'[root."{rule.root}"] names no package after which the task queue of its port '
                'could be called: write task_queue = "..."'
            )
        self._stack = ExitStack()
        self.calls = self._stack.enter_context(caller(None, queue))
        self.server = TemporalServer(self.calls, queue)

    def ready(self, call: Call) -> Ready:
        """See ``Way.ready``."""
        require_carried(call)
        self.server.require_taker()
        given = plain(call.given)
        args = list(given.values()) if self.rule.input == "args" else ([given] if given else [])
        begins = begins_at(call.options)
        result = self.app.AsyncResult(call.task_id)
        return Ready(result, lambda: self.calls.wait(self._start(call.task_id, args, begins)))

    async def _start(self, claim_id: str, args: list[Any], begins: datetime | None) -> None:
        delay = None if begins is None else max(begins - datetime.now(UTC), timedelta())
        try:
            await self.calls.client.start_workflow(
                self.workflow,
                args=args,
                id=claim_id,
                task_queue=self.server.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                start_delay=delay,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            said = EngineUnavailable(f"Temporal did not take {self.workflow}: {error.message}")
            if self.server.is_refusal(error):
                raise Refused(said) from error
            raise said from error

    def ended(self, claim: Claim) -> Ended | None:
        """See ``Way.ended``."""
        return self.server.ended(claim.id, read=True)

    def cut_short(self, claim: Claim) -> bool:
        """See ``Way.cut_short``."""
        return self.server.cut_short(claim.id)

    def look(self) -> list[str]:
        """See ``Way.look``."""
        return self.server.look()

    def revoke(self, ids: list[str], *, terminate: bool) -> None:
        """See ``Way.revoke``; a workflow is asked to end, whether or not it has begun."""
        for one in ids:
            self.calls.wait(self._cancel(one))

    async def _cancel(self, claim_id: str) -> None:
        try:
            await self.calls.client.get_workflow_handle(claim_id).cancel()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    def close(self) -> None:
        """See ``Way.close``."""
        self._stack.close()


def _kind_and_text(error: BaseException) -> tuple[str, str]:
    found: BaseException | None = error
    while found is not None and not isinstance(found, ApplicationError):
        found = found.__cause__
    if isinstance(found, ApplicationError):
        return found.type or "ApplicationError", found.message
    inner = error.__cause__ or error
    return type(inner).__name__, str(inner)
