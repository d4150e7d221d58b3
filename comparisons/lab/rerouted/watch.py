"""What metrics tell of a rerouted engine as a whole: what the kit sees of it, and the database.

A caller with an open switch tells the first part by itself, once its process has a port for
metrics. The second part is the application's: the kit knows nothing of its tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from comparisons.lab.rerouted.app import ENGINE, RECOVERED, app
from comparisons.lab.rerouted.client import switch
from offcanvas import metrics
from offcanvas.metrics.sight import Sight, Waiting
from shared.limits import SWEEPS
from shared.policy import LONG_STEP
from shared.recovery import unfinished
from shared.settings import settings

_target: Any = switch.target  # not every target can be looked at; these two can
_results: Any = app.backend  # a Redis; celery-types knows the base class only


class Look:
    """Asks the engine's server, the result backend and the database."""

    def __init__(self, recovered: Callable[[int], None]) -> None:
        self._tell = recovered
        self._recovered = 0

    def __call__(self) -> Sight:
        """What is there now."""
        seen: Sight = _target.look()
        runs, unsent = unfinished("celery")
        recovered = int(_results.client.get(RECOVERED) or 0)
        # A Redis that has lost its data begins anew.
        self._tell(recovered - self._recovered if recovered >= self._recovered else recovered)
        self._recovered = recovered
        return replace(seen, runs=Waiting(runs.count, runs.since), unsent=unsent)


def run_watch(port: int) -> NoReturn:
    """Tell Prometheus at this port of loopback until SIGTERM.

    Raises:
        SystemExit: the port cannot be opened; 2.
    """
    meter = metrics.start(port)
    if meter is None:
        raise SystemExit(2)  # it has said why
    meter.knows(ENGINE, ())
    meter.limit(ENGINE, "work", SWEEPS * settings().sweep_every)
    meter.limit(ENGINE, "step", LONG_STEP.time_limit)
    # The switch was opened before there was a port: it has no watch of its own.
    look = Look(lambda count: meter.recovered(ENGINE, count))
    metrics.watch(ENGINE, look, settings().watch_every)
    while True:
        time.sleep(3600)
