"""F16: a caller dies between its commit and its message."""

from __future__ import annotations

from comparisons.lab.calling import CallFailed
from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
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
from shared.probe import COMMITTED
from shared.steps import ASSIGN

_ENTER = "comparisons.lab.states.dying:enter_and_die"


class CrashBeforePublish(Fault):
    """The caller is killed when what it means to do is in the database, and nothing has been sent.

    On Celery it has just assigned the stations, and is about to send the chord. On Prefect and
    Temporal it has entered the run, and is about to call the server.
    """

    id, title = "F16", "Crash before publish"
    source = (
        "Celery user guide, tasks: database transactions; celery issue 10271 (outbox); "
        "docs.temporal.io/workflow-execution/workflowid-runid"
    )
    phases = ("committed, not sent",)
    expects = {
        NAIVE: loses("the database says that there is work, and nobody has been told"),
        HARDENED: repeats("the sweep finds a run that lacks everything, and queues it"),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: repeats("the sweep finds no flow run of it, and starts a repair"),
        TEMPORAL: repeats("the sweep finds no workflow of it, and starts a repair"),
        AIRFLOW: repeats("the sweep finds no DAG run of it, and starts a repair"),
        KIT_PREFECT: repeats("the sweep finds a run that lacks everything, and sends a canvas"),
        KIT_TEMPORAL: repeats("the same"),
    }

    def prepare(self, cell: Cell) -> None:
        """Where the caller itself has a step to do, hold it when that is committed."""
        if cell.lane.profile.engine == "celery":
            cell.trap(COMMITTED, step=ASSIGN)

    def start(self, cell: Cell) -> None:
        """Have the caller start the run; no answer will come."""
        if cell.lane.profile.engine == "celery":
            cell.lane.caller.send("start", variant=self.variant, run_id=cell.run_id)

    def inject(self, cell: Cell) -> None:
        """Kill the caller."""
        if cell.lane.profile.engine == "celery":
            cell.catch()
            cell.struck = None  # not a step that will be tried again
            cell.strike("the caller is killed: stations assigned, nothing sent")
            cell.lane.caller.kill()
            return
        cell.strike("the caller enters the run and is killed before it calls the server")
        try:
            arguments = [cell.run_id, self.variant, cell.lane.profile.engine]
            cell.lane.caller.ask("call", function=_ENTER, arguments=arguments)
        except CallFailed as error:
            cell.mark(str(error))

    def heal(self, cell: Cell) -> None:
        """Nothing is in the way any more."""
        cell.healed("the caller is started again, and knows nothing of the run")
