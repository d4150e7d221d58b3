"""The target of ``reroute(app, to="prefect")``.

Canvases go to the server that Prefect's own configuration names (``connection``), there to the
deployment OFFCANVAS_DEPLOYMENT ("offcanvas" unless set), and outlive the caller. With
``private=True`` a private server and a worker come up for as long as the switch is open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.storable import count_if_not_storable
from offcanvas.engines.batches import Batch, batch_of
from offcanvas.engines.bursts import Bursts, is_lone, lone_of, together
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.connection import configured
from offcanvas.engines.prefect.job import DEPLOYMENT
from offcanvas.engines.prefect.look import look
from offcanvas.engines.prefect.private_worker import private_worker
from offcanvas.engines.prefect.slices import spread_of
from offcanvas.engines.remote import Remembered
from offcanvas.engines.walker import result_ids
from offcanvas.errors import UsageError
from offcanvas.metrics.sight import Sight

if TYPE_CHECKING:
    from celery import Celery


class PrefectTarget:
    """Takes canvases as they are submitted; see ``reroute.Target``.

    Args:
        app: the app.
        strict: do as Celery does where it does otherwise than it documents.
        private: a private server and worker for as long as the switch is open.
        batch: see ``Caller.start``.
        spread: see ``Caller.start``.
        lone: "burst" for tasks sent alone that go to the server together (``bursts``), "auto" for
            that and batches by time.
        once: see ``Caller.start``.

    Raises:
        EngineUnavailable: no server answers.
        UsageError: nothing says where a server is.
    """

    def __init__(
        self,
        app: Celery,
        *,
        strict: bool = False,
        private: bool = False,
        once: bool = False,
        batch: Batch = None,
        lone: str | None = None,
        spread: int | None = None,
    ) -> None:
        self.app = app
        self.spread = spread_of(spread)
        # A task that is to be started once, whatever happens, is a request of its own.
        way = None if once else lone_of(lone)
        if way == "activity":
            raise UsageError("lone='activity' is for temporal, and not for prefect")
        self.batch = batch_of(batch)
        in_bursts, self._batch = together(way, self.batch)
        self._bursts = Bursts(app, self._start_burst) if in_bursts else None
        self.strict = strict
        self._once = once
        self._stack = ExitStack()
        self._mine = private
        if private:
            self.calls = self._stack.enter_context(private_worker(app, private=True))
        else:
            url = configured().url
            if url is None:
                raise UsageError(
                    "nothing says where the Prefect server is: set PREFECT_API_URL to "
                    "http://host:4200/api, or: prefect config set PREFECT_API_URL=...; "
                    "with reroute, private=True starts one for as long as the switch is open"
                )
            name = os.environ.get("OFFCANVAS_DEPLOYMENT", DEPLOYMENT)
            self.calls = self._stack.enter_context(Caller(url, name))
        self._open: list[UUID] = []
        self._flow_runs = Remembered[UUID]()

    def start(self, branch: Branch) -> None:
        """Returns when the server has it.

        Raises:
            EngineUnavailable: the server did not take it.
        """
        if self._bursts is not None and is_lone(branch):
            self._bursts.add(branch)
            return
        begun = self.calls.start(
            self.app,
            branch,
            strict=self.strict,
            once=self._once,
            batch=self.batch,
            spread=self.spread,
        )
        if self._mine:
            self._open.append(begun)
        self._flow_runs.add(result_ids(branch.node), begun)

    def _start_burst(self, branches: Sequence[Branch]) -> None:
        begun = self.calls.start_burst(self.app, branches, strict=self.strict, batch=self._batch)
        if self._mine:
            self._open.append(begun)
        ids = [found for branch in branches for found in result_ids(branch.node)]
        self._flow_runs.add(ids, begun)

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tell the canvases that run; ``terminate`` also ends tasks that have begun."""
        if self._bursts is not None:
            self._bursts.flush()  # only what the server has can be revoked there
        known = self._flow_runs.of(ids)
        told = known if len(known) == len(ids) else []
        self.calls.revoke(ids, terminate=terminate, flow_runs=told)

    def started(self, task_id: str) -> UUID | None:
        """What of the server has the task, if it was started lately from here."""
        found = self._flow_runs.of([task_id])
        return found[0] if found else None

    def look(self) -> Sight:
        """What metrics tell of the server."""
        count_if_not_storable(self.app, "prefect")
        calls = self.calls
        return calls.ask(lambda: look(calls.client, calls.deployment))

    def close(self) -> None:
        """Wait for what was started, unless it goes on without this process, and let go."""
        with self._stack:
            if self._bursts is not None:
                self._bursts.close()
            for flow_run_id in self._open:
                self.calls.finish(flow_run_id)
