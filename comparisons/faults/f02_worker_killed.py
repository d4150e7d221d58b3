"""F02: a whole worker is killed."""

from __future__ import annotations

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


class WorkerKilled(Fault):
    """The worker and all its processes get SIGKILL at once, as when a machine or a container goes.

    Healed by a new worker, which a supervisor would start.
    """

    id, title = "F02", "Worker killed"
    source = (
        "Celery user guide, configuration: task_acks_late; backends-and-brokers/redis: visibility "
        "timeout; Prefect docs, advanced/detect-zombie-flows, issue 16746; "
        "docs.temporal.io/encyclopedia/detecting-activity-failures"
    )
    expects = {
        NAIVE: loses(
            "the steps in hand were acknowledged before they began; the broker has forgotten them, "
            "and the body waits for ever"
        ),
        HARDENED: repeats("RabbitMQ gives back what was unacknowledged when the connection broke"),
        HARDENED_REDIS: repeats(
            "Redis sees no broken connection: the messages come back after the visibility timeout, "
            "unless the sweep has found the gap before"
        ),
        PREFECT: repeats(
            "the run stays Running for the server; another worker of ours sees that this one has "
            "missed its heartbeats, and gives the run back to be begun anew"
        ),
        TEMPORAL: repeats("the heartbeat times out, and the new worker gets the next attempt"),
        AIRFLOW: repeats(
            "the new scheduler misses the heartbeats of the task instances that were running, and "
            "has them tried again; what was queued for the dead one is queued anew"
        ),
        KIT_PREFECT: repeats(
            "another worker of the kit misses the heartbeats and goes on with the flow run; tasks "
            "with acks_late run again"
        ),
        KIT_TEMPORAL: repeats(
            "the heartbeat times out, and with acks_late the activity runs again on the new worker"
        ),
    }

    def inject(self, cell: Cell) -> None:
        """Kill the worker of the step that was caught."""
        cell.catch()
        cell.strike("the worker and all its processes are killed")
        cell.lane.worker.kill()

    def heal(self, cell: Cell) -> None:
        """Start another."""
        cell.lane.add_worker()
        cell.healed("a new worker is started")
