"""The target of ``reroute(app, to="prefect")``.

With PREFECT_API_URL set, canvases go to that server, to the deployment OFFCANVAS_DEPLOYMENT
("offcanvas" unless set), and outlive the caller. Without it, a private server and a worker come up
for as long as the switch is open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.job import DEPLOYMENT
from offcanvas.engines.prefect.run import deployment
from offcanvas.engines.walker import Branch, result_ids

if TYPE_CHECKING:
    from celery import Celery

#: Results whose flow run is remembered for ``revoke``; with older ones all flow runs are told.
_REMEMBERED = 10_000


class PrefectTarget:
    """Takes canvases as they are submitted; see ``reroute.Target``.

    Raises:
        EngineUnavailable: no server answers.
    """

    def __init__(self, app: Celery, *, strict: bool = False) -> None:
        self.app = app
        self.strict = strict
        self._stack = ExitStack()
        url = os.environ.get("PREFECT_API_URL")
        self._mine = url is None
        if url is None:
            self.calls = self._stack.enter_context(deployment(app))
        else:
            name = os.environ.get("OFFCANVAS_DEPLOYMENT", DEPLOYMENT)
            self.calls = self._stack.enter_context(Caller(url, name))
        self._open: list[UUID] = []
        self._flow_runs: dict[str, UUID] = {}

    def start(self, branch: Branch) -> None:
        """Returns when the server has it.

        Raises:
            EngineUnavailable: the server did not take it.
        """
        begun = self.calls.start(self.app, branch, strict=self.strict)
        if self._mine:
            self._open.append(begun)
        self._flow_runs.update(dict.fromkeys(result_ids(branch.node), begun))
        while len(self._flow_runs) > _REMEMBERED:
            del self._flow_runs[next(iter(self._flow_runs))]

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tell the canvases that run; ``terminate`` also ends tasks that have begun."""
        known = [self._flow_runs[one] for one in ids if one in self._flow_runs]
        told = known if len(known) == len(ids) else []
        self.calls.revoke(ids, terminate=terminate, flow_runs=told)

    def close(self) -> None:
        """Wait for what was started, unless it goes on without this process, and let go."""
        with self._stack:
            for flow_run_id in self._open:
                self.calls.finish(flow_run_id)
