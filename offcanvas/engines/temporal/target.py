"""The target of ``reroute(app, to="temporal")``.

Canvases go to the server of the client that is given, or to the one that Temporal's own
configuration names (``connection``); there to the worker with ``CanvasPlugin(app)`` on the task
queue OFFCANVAS_TASK_QUEUE ("offcanvas" unless set). They outlive the caller. With ``private=True``
a private server and a worker come up for as long as the switch is open.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowHandle

from offcanvas.canvas.calls import Branch
from offcanvas.canvas.planner import result_id
from offcanvas.celery_app.storable import count_if_not_storable
from offcanvas.engines.batches import Batch, batch_of
from offcanvas.engines.bursts import Bursts, is_lone, lone_of, together
from offcanvas.engines.remote import Remembered
from offcanvas.engines.temporal.caller import Caller, caller
from offcanvas.engines.temporal.client import finish, start_burst, start_canvas
from offcanvas.engines.temporal.connection import names_a_server
from offcanvas.engines.temporal.lone import (
    finish_lone,
    fits,
    offered,
    revoke_everywhere,
    start_lone,
)
from offcanvas.engines.temporal.look import look
from offcanvas.engines.temporal.private_worker import private_worker
from offcanvas.engines.walker import result_ids
from offcanvas.errors import CanvasTooLarge, EngineUnavailable, UsageError
from offcanvas.metrics.sight import Sight

if TYPE_CHECKING:
    from celery import Celery
    from temporalio.client import ActivityHandle

TASK_QUEUE = "offcanvas"


class TemporalTarget:
    """Takes canvases as they are submitted; see ``reroute.Target``.

    Args:
        app: the app.
        strict: do as Celery does where it does otherwise than it documents.
        queues: Celery's queue to the task queue of the worker that serves it.
        client: a client of the caller's own, with its data converter and interceptors, or a
            coroutine function that connects one.
        private: a private server and worker for as long as the switch is open.
        fail_workflows: see ``start_canvas``; True unless given.
        heartbeat_timeout: see ``start_canvas``.
        batch: see ``start_canvas``.
        lone: "burst" for tasks sent alone that go to the server together (``bursts``), "activity"
            for tasks that have no workflow (``lone``), "auto" for what is cheapest.
        once: see ``start_canvas``.

    Raises:
        EngineUnavailable: no server answers, or it has no activities without a workflow.
        UsageError: nothing says where a server is, or the arguments contradict each other.
    """

    def __init__(
        self,
        app: Celery,
        *,
        strict: bool = False,
        queues: Mapping[str, str] | None = None,
        client: Client | Callable[[], Awaitable[Client]] | None = None,
        private: bool = False,
        fail_workflows: bool | None = None,
        heartbeat_timeout: float | None = None,
        batch: Batch = None,
        lone: str | None = None,
        once: bool = False,
    ) -> None:
        self.app = app
        self.queues = queues
        self.strict = strict
        self._more: dict[str, Any] = {"batch": batch_of(batch)}
        if once:
            self._more["once"] = True
        if fail_workflows is not None:
            self._more["fail_workflows"] = fail_workflows
        if heartbeat_timeout is not None:
            self._more["heartbeat_timeout"] = _seconds(heartbeat_timeout)
        # A task that is to be started once, whatever happens, is a request of its own.
        way = None if once else lone_of(lone)
        in_bursts, self._batch = together(way, self._more["batch"])
        self._bursts = Bursts(app, self._start_burst) if in_bursts else None
        self._stack = ExitStack()
        self._mine = private
        opened: AbstractContextManager[Caller]
        if private:
            if client is not None:
                raise UsageError("client= names a server, and private=True starts another one")
            opened = private_worker(app, private=True)
        else:
            if client is None and not names_a_server():
                raise UsageError(
                    "nothing says where the Temporal server is: set TEMPORAL_ADDRESS, or name it "
                    "in Temporal's configuration file; with reroute, client= names one too, and "
                    "private=True starts one for as long as the switch is open"
                )
            if not (client is None or callable(client) or isinstance(client, Client)):
                raise UsageError(f"client= has to be a temporalio Client, not {client!r:.60}")
            opened = caller(None, os.environ.get("OFFCANVAS_TASK_QUEUE", TASK_QUEUE), client)
        self.calls = self._stack.enter_context(opened)
        self._without = way == "activity"
        if self._without and not self.calls.wait(offered(self.calls.client)):
            self._stack.close()
            raise EngineUnavailable(
                "lone='activity': this Temporal server, or the SDK here, has no activities without "
                "a workflow (Standalone Activities); leave lone= out, or give 'burst' or 'auto'"
            )
        self._open: list[WorkflowHandle[Any, Any] | ActivityHandle[Any]] = []
        self._workflows = Remembered[str]()

    def start(self, branch: Branch) -> None:
        """Returns when the server has it.

        Raises:
            CanvasTooLarge: it is more than the server takes.
            EngineUnavailable: the server did not take it.
        """
        if self._bursts is not None and is_lone(branch):
            self._bursts.add(branch)
            return
        own = result_id(branch.node)  # that of a group is none of its members'
        ids = [*([own] if own else ()), *result_ids(branch.node)]
        if self._without and fits(self.app, branch):
            # A workflow is given more than an activity is, by way of the result backend.
            with suppress(CanvasTooLarge):
                self._start(start_lone, branch, ids)
                return
        self._start(start_canvas, branch, ids)

    def _start_burst(self, branches: Sequence[Branch]) -> None:
        ids = [found for branch in branches for found in result_ids(branch.node)]
        self._start(start_burst, branches, ids, batch=self._batch)

    def _start(
        self,
        starting: Callable[
            ..., Coroutine[Any, Any, WorkflowHandle[Any, Any] | ActivityHandle[Any]]
        ],
        what: object,
        ids: list[str],
        **more: Any,
    ) -> None:
        """Have the server run ``what``, whose results have these ids."""
        calls = self.calls
        handle = calls.wait(
            starting(
                calls.client,
                self.app,
                what,
                task_queue=calls.task_queue,
                strict=self.strict,
                queues=self.queues,
                **{**self._more, **more},
            )
        )
        if self._mine:
            self._open.append(handle)
        self._workflows.add(ids, handle.id)

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tell the canvases that run; ``terminate`` also ends tasks that have begun."""
        if self._bursts is not None:
            self._bursts.flush()  # only what the server has can be revoked there
        known = self._workflows.of(ids)
        self.calls.wait(
            revoke_everywhere(
                self.calls.client, self.app, ids, terminate=terminate, workflows=known
            )
        )

    def started(self, task_id: str) -> str | None:
        """What of the server has the task, if it was started lately from here."""
        found = self._workflows.of([task_id])
        return found[0] if found else None

    def look(self) -> Sight:
        """What metrics tell of the server."""
        count_if_not_storable(self.app, "temporal")
        return self.calls.wait(look(self.calls.client, self.calls.task_queue))

    def close(self) -> None:
        """Wait for what was started, unless it goes on without this process, and let go."""
        with self._stack:
            if self._bursts is not None:
                self._bursts.close()
            for handle in self._open:
                self.calls.wait(_finish(self.calls.client, handle))


async def _finish(client: Client, handle: WorkflowHandle[Any, Any] | ActivityHandle[Any]) -> None:
    if isinstance(handle, WorkflowHandle):
        await finish(client, handle)
    else:
        await finish_lone(client, handle)


def _seconds(given: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 1:
        raise UsageError(f"heartbeat_timeout={given!r} has to be a number of seconds, 1 or more")
    return float(given)
