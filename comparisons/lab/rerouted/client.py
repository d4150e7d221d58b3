"""The caller of rerouted canvases."""

from __future__ import annotations

import sys

from celery.exceptions import TimeoutError as CeleryTimeoutError

from celery_impl.client import Client as CeleryClient
from celery_impl.workloads import nothing
from comparisons.lab.profiles import INTERVALS
from comparisons.lab.rerouted.app import ENGINE, app
from offcanvas import reroute
from shared.contract import Health

_SILENT_AFTER = INTERVALS["SILENT_AFTER"] if ENGINE == "temporal" else None
#: Open for as long as the process lives: the switch of everything that this process sends.
switch = reroute(app, to=ENGINE, heartbeat_timeout=_SILENT_AFTER)


class Client(CeleryClient):
    """Celery's client, whose canvases go to another engine."""

    def worker_command(self, concurrency: int) -> list[str]:
        """The kit's own worker."""
        module = f"offcanvas.engines.{ENGINE}"
        where = "comparisons.lab.rerouted.app:app"
        return [sys.executable, "-m", module, where, "--processes", str(concurrency)]

    def wait_for_worker(self, timeout: float) -> None:
        """Return once a task has been run; raises TimeoutError."""
        try:
            nothing.delay("ready", 0).get(timeout=timeout)
        except CeleryTimeoutError:
            raise TimeoutError(f"no worker ran a task within {timeout:g} s") from None

    def _reach(self) -> None:
        """There is no broker to be reached."""

    def health(self) -> Health:
        """The engine's queue is its own business: nothing waits in one of Celery's."""
        return Health("celery", reachable=True, detail="rerouted", queued=0)
