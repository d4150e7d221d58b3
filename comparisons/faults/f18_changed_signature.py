"""F18: new code with another signature meets messages that the old code has written."""

from __future__ import annotations

import sys

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.lane import CONCURRENCY
from comparisons.lab.profiles import HARDENED, HARDENED_REDIS, NAIVE, PREFECT, TEMPORAL
from comparisons.lab.workers import Worker

STOPS_WITHIN = 60.0


class ChangedSignature(Fault):
    """The worker is stopped, a run is started by the old code, and a worker with new code takes
    it: what prints a roll, or the flow as a whole on Prefect, has one argument more.

    Naive: the argument is required. Otherwise the change is made as it should be: the argument has
    a default, so that both kinds of messages can be read. `drain` tells when the old ones are gone.
    """

    id, title = "F18", "Changed signature in flight"
    source = (
        "celery/app/trace.py; openedx/edx-platform PR 14033; docs.prefect.io: "
        "enforce_parameter_schema; docs.temporal.io/develop/python/message-passing: dataclasses"
    )
    phases = ("queued by the old code",)
    expects = {
        NAIVE: loses("TypeError in the worker: the task fails, and the chord's body with it"),
        HARDENED: repeats("the old messages lack an argument that has a default"),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: repeats("the parameters were valid when the run was created, and still are"),
        TEMPORAL: repeats("a field that is not in the payload gets its default"),
    }
    spoils_worker = True

    def prepare(self, cell: Cell) -> None:
        """Stop the worker with the old code; hear of the first step that the new one begins."""
        worker = cell.lane.worker
        worker.terminate()
        if not worker.ended_within(STOPS_WITHIN):
            worker.kill()
        cell.mark("the worker with the old code has ended")

    def inject(self, cell: Cell) -> None:
        """Start one with the new code."""
        cell.strike("a worker with new code is started")
        engine, profile = cell.lane.profile.engine, cell.lane.profile
        change = "required" if profile.name == NAIVE else "default"
        cell.lane.workers.append(
            Worker(
                [sys.executable, "-m", "comparisons.lab.states.changed",
                 engine, change, str(CONCURRENCY)],
                cell.lane.environment,
                cell.lane.folder / "worker-changed.log",
            )
        )  # fmt: skip

    def heal(self, cell: Cell) -> None:
        """There is nothing to heal: the new code is what is meant to be there."""
        cell.healed("nothing: the new code is meant to be there")
