"""F23: the parent is killed in the middle of the fan-out."""

from __future__ import annotations

from comparisons.lab.calling import CallFailed
from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.lane import STATIONS
from comparisons.lab.profiles import (
    AIRFLOW,
    HARDENED,
    HARDENED_REDIS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    TEMPORAL,
)
from shared.probe import FINISHED

_DIE = "comparisons.lab.states.dying:die_after_messages"
SENT = (1, 6, STATIONS - 1)


class ParentKilled(Fault):
    """What fans out is killed when one, six or eleven of twelve members are on their way.

    On Celery that is the process that sends the chord, between two messages. On Prefect and
    Temporal it is the worker, in which the flow or the workflow runs, when so many members have
    ended; a new worker is started.
    """

    id, title = "F23", "Parent killed in the fan-out"
    source = (
        "celery/canvas.py, _chord.run: members are sent one by one; Prefect docs, advanced/"
        "detect-zombie-flows; docs.temporal.io/workflow-execution/event: replay"
    )
    phases = tuple(f"{sent} of {STATIONS}" for sent in SENT)
    expects = {
        NAIVE: loses("the members that were sent are executed; the others and the body never are"),
        HARDENED: repeats("the sweep queues what has no roll, and the sum"),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: repeats("the flow run is given back by another worker, and begun anew"),
        TEMPORAL: repeats("the history knows which members have ended; only the others are run"),
        AIRFLOW: repeats(
            "the rows of the members know which have ended; another scheduler goes on with those"
        ),
        KIT_PREFECT: repeats("the record says which members have ended; the others are run"),
        KIT_TEMPORAL: repeats(
            "the history knows which members have ended; only the others are run"
        ),
    }

    def prepare(self, cell: Cell) -> None:
        """Have the caller count its messages, or hear of the members' ends."""
        self._count = SENT[self.phases.index(cell.phase)]
        if cell.lane.profile.sends_messages:
            cell.lane.caller.ask("call", function=_DIE, arguments=[self._count])
        else:
            cell.trap(FINISHED, times=None)

    def start(self, cell: Cell) -> None:
        """Start the run; on Celery the caller does not live to answer."""
        if not cell.lane.profile.sends_messages:
            cell.start_run()

    def inject(self, cell: Cell) -> None:
        """Kill the caller by its own hand, or the worker."""
        if not cell.lane.profile.sends_messages:
            cell.catch(number=self._count)
            cell.strike(f"the worker is killed; {self._count} members have ended")
            cell.lane.worker.kill()
            return
        cell.strike(f"the caller is killed after {self._count} messages of {STATIONS}")
        try:
            cell.lane.caller.ask("start", variant=self.variant, run_id=cell.run_id)
        except CallFailed as error:
            cell.mark(str(error))

    def heal(self, cell: Cell) -> None:
        """A new worker, or nothing: the next caller knows nothing of the run."""
        if cell.lane.profile.sends_messages:
            cell.healed("the caller is started again, and knows nothing of the run")
            return
        cell.lane.add_worker()
        cell.healed("a new worker is started")
