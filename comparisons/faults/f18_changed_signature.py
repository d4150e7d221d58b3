"""F18: new code with another signature meets messages that the old code has written."""

from __future__ import annotations

import sys

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.lane import CONCURRENCY
from comparisons.lab.profiles import (
    AIRFLOW,
    HARDENED,
    HARDENED_REDIS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    TEMPORAL,
    Profile,
    kit_worker,
)

STOPS_WITHIN = 60.0


def _changed(profile: Profile) -> tuple[str, ...]:
    """The arguments after `python` that start a worker with the new code."""
    if profile.rerouted_to is not None:
        return (*kit_worker(profile.rerouted_to, f"{profile.package}.changed:app"), "--processes")
    change = "required" if profile.name == NAIVE else "default"
    return ("-m", "comparisons.lab.states.changed", profile.engine, change)


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
        AIRFLOW: repeats("a mapped task instance has no value for it, and gets the default"),
        KIT_PREFECT: repeats("the calls of the old code lack an argument that has a default"),
        KIT_TEMPORAL: repeats("the same"),
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
        changed = _changed(cell.lane.profile)
        cell.lane.take_worker([sys.executable, *changed, str(CONCURRENCY)])

    def heal(self, cell: Cell) -> None:
        """There is nothing to heal: the new code is what is meant to be there."""
        cell.healed("nothing: the new code is meant to be there")
