"""The target of ``reroute(app, to="temporal")``.

With TEMPORAL_ADDRESS set, canvases go to that server, to the worker with ``CanvasPlugin(app)`` on
the task queue OFFCANVAS_TASK_QUEUE ("offcanvas" unless set), and outlive the caller. Without it, a
private server and a worker come up for as long as the switch is open.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from offcanvas.engines.temporal.client import finish, revoke, start_canvas
from offcanvas.engines.temporal.run import caller, deployment
from offcanvas.engines.walker import Branch, result_ids

if TYPE_CHECKING:
    from celery import Celery
    from temporalio.client import WorkflowHandle

TASK_QUEUE = "offcanvas"
#: Results whose workflow is remembered for ``revoke``; older ones are looked for on the server.
_REMEMBERED = 10_000


class TemporalTarget:
    """Takes canvases as they are submitted; see ``reroute.Target``.

    Args:
        app: the app.
        strict: do as Celery does where it does otherwise than it documents.
        queues: Celery's queue to the task queue of the worker that serves it.

    Raises:
        EngineUnavailable: no server answers.
    """

    def __init__(
        self, app: Celery, *, strict: bool = False, queues: Mapping[str, str] | None = None
    ) -> None:
        self.app = app
        self.queues = queues
        self.strict = strict
        self._stack = ExitStack()
        self._mine = not os.environ.get("TEMPORAL_ADDRESS")
        if self._mine:
            opened = deployment(app)
        else:
            opened = caller(None, os.environ.get("OFFCANVAS_TASK_QUEUE", TASK_QUEUE))
        self.calls = self._stack.enter_context(opened)
        self._open: list[WorkflowHandle[Any, Any]] = []
        self._workflows: dict[str, str] = {}

    def start(self, branch: Branch) -> None:
        """Returns when the server has it.

        Raises:
            CanvasTooLarge: it is more than the server takes.
            EngineUnavailable: the server did not take it.
        """
        calls = self.calls
        handle = calls.wait(
            start_canvas(
                calls.client,
                self.app,
                branch,
                task_queue=calls.task_queue,
                strict=self.strict,
                queues=self.queues,
            )
        )
        if self._mine:
            self._open.append(handle)
        self._workflows.update(dict.fromkeys(result_ids(branch.node), handle.id))
        while len(self._workflows) > _REMEMBERED:
            del self._workflows[next(iter(self._workflows))]

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tell the canvases that run; ``terminate`` also ends tasks that have begun."""
        known = [self._workflows[one] for one in ids if one in self._workflows]
        self.calls.wait(revoke(self.calls.client, ids, terminate=terminate, workflows=known))

    def close(self) -> None:
        """Wait for what was started, unless it goes on without this process, and let go."""
        with self._stack:
            for handle in self._open:
                self.calls.wait(finish(self.calls.client, handle))
