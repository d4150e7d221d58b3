"""F06: a step hangs."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.profiles import (
    AIRFLOW,
    HARDENED,
    HARDENED_REDIS,
    INTERVALS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    TEMPORAL,
)
from shared.probe import STARTED

HEEDS, DEAF = "heeds an interrupt", "heeds nothing but SIGKILL"


class HungStep(Fault):
    """A step waits for good for an answer on a socket. Either it heeds the signal of the soft time
    limit, or it blocks the signals as a C library may, and only SIGKILL ends it. Nobody hangs
    at the second attempt, so that nothing has to be healed.
    """

    id, title = "F06", "Hung step"
    source = (
        "Celery user guide, workers: time limits; Prefect docs, write-tasks: timeouts; "
        "docs.temporal.io/encyclopedia/detecting-activity-failures: start-to-close"
    )
    phases = (HEEDS, DEAF)
    expects = {
        NAIVE: loses("no time limit: the step hangs for ever, and so does its slot"),
        HARDENED: repeats(
            "the soft limit raises in the step, the hard one kills its process; either way the "
            "task has failed for good, and the sweep queues what is missing"
        ),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: repeats(
            "interrupted, or killed with its siblings, by the worker's own limits; the flow run "
            "fails, and the sweep starts a repair"
        ),
        TEMPORAL: repeats(
            "the process interrupts itself, which is final, and the sweep repairs the run; a deaf "
            "one is given up at start-to-close and tried elsewhere"
        ),
        AIRFLOW: repeats(
            "execution_timeout interrupts the step, and the retry policy makes that final; a deaf "
            "one kills its own process and is tried again"
        ),
        KIT_PREFECT: repeats(
            "Celery's limits: soft raises in the task, hard kills its process; the sweep queues "
            "what is missing"
        ),
        KIT_TEMPORAL: repeats("the same"),
    }
    spoils_worker = True

    def prepare(self, cell: Cell) -> None:
        """Hold the first step that begins; all later ones go on."""
        cell.trap(STARTED)

    def inject(self, cell: Cell) -> None:
        """Leave it without an answer."""
        held = cell.catch()
        cell.strike(
            f"{held.event.item} hangs and {cell.phase}; the time limit is "
            f"{INTERVALS['STEP_TIME_LIMIT']:g} s"
        )
        held.hang(deaf=cell.phase == DEAF)
