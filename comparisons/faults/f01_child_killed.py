"""F01: the process that executes a step is killed."""

from __future__ import annotations

import os
import signal

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


class ChildKilled(Fault):
    """The process that executes a step gets SIGKILL, as from the kernel when memory runs out.

    The worker around it lives. Nothing is healed: the worker replaces the process by itself.
    """

    id, title = "F01", "Step process killed"
    source = (
        "Celery user guide, configuration: task_reject_on_worker_lost; celery/worker/request.py, "
        "on_failure; docs.temporal.io/encyclopedia/detecting-activity-failures"
    )
    expects = {
        NAIVE: loses(
            "the message was acknowledged before the step began: the task fails with "
            "WorkerLostError, is not run again, and the chord's body is never sent"
        ),
        HARDENED: repeats("task_reject_on_worker_lost gives the message back, at once"),
        HARDENED_REDIS: repeats("the same: rejecting does not wait for the visibility timeout"),
        PREFECT: repeats("the worker sees its pool broken; the task is tried again, retries=3"),
        TEMPORAL: repeats(
            "the worker ends with its pool and is made anew; the activity is tried again after its "
            "failure, or its heartbeat timeout"
        ),
        AIRFLOW: repeats(
            "the task's supervisor sees its process gone, and reports a failure; retries=3"
        ),
        KIT_PREFECT: repeats(
            "acks_late and task_reject_on_worker_lost: the task runs again, by the flow run that "
            "has it"
        ),
        KIT_TEMPORAL: repeats("the same, by another activity of the same workflow"),
    }

    def inject(self, cell: Cell) -> None:
        """Kill the process of the step that was caught."""
        held = cell.catch()
        cell.strike(f"process {held.event.pid} at {held.event.item} is killed")
        os.kill(held.event.pid, signal.SIGKILL)
