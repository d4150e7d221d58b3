"""F03: a deployment stops the worker: SIGTERM, and SIGKILL after a grace."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, may_lose, repeats
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
from shared.probe import IN_TRANSACTION, STARTED

GRACE = 3.0  # seconds
WITHIN, BEYOND = "step ends within the grace", "step outlasts the grace"


class StoppedByDeploy(Fault):
    """The worker gets SIGTERM in the middle of a step, and SIGKILL with all its processes if it is
    still there after three seconds; then a new worker is started.

    Either the step ends as soon as the worker has been told, or it outlasts the grace.
    """

    id, title = "F03", "SIGTERM, then SIGKILL"
    source = (
        "Celery user guide, workers: shutdown; temporalio/sdk-python issue 367; "
        "Prefect src/prefect/runner"
    )
    phases = (WITHIN, BEYOND)
    expects = {
        NAIVE: may_lose(
            "the warm shutdown lets the steps in hand end and gives back the rest; a step that "
            "outlasts the grace was acknowledged before, and is lost"
        ),
        HARDENED: repeats("as naive within the grace; beyond it RabbitMQ gives the step back"),
        HARDENED_REDIS: repeats("beyond the grace by the visibility timeout, or by the sweep"),
        PREFECT: repeats(
            "the worker takes no more flow runs and lets those in hand go on; the flow run is in "
            "the worker, so that a run longer than the grace is cut off, and begun anew by another"
        ),
        TEMPORAL: repeats(
            "the worker lets its activities end and polls no more; beyond the grace the heartbeat "
            "times out"
        ),
        AIRFLOW: repeats(
            "the scheduler lets the executor's steps in hand end; beyond the grace the heartbeat "
            "of the task instance times out"
        ),
        KIT_PREFECT: repeats(
            "what has not ended within the grace is given back, and runs again on the next worker"
        ),
        KIT_TEMPORAL: repeats(
            "the worker lets its activities end; beyond the grace the heartbeat times out"
        ),
    }

    def prepare(self, cell: Cell) -> None:
        """Hold a step once it has begun: in the middle, or where it will be held for longer."""
        cell.trap(IN_TRANSACTION if cell.phase == WITHIN else STARTED)

    def inject(self, cell: Cell) -> None:
        """SIGTERM; the step goes on at once or not at all; SIGKILL."""
        held = cell.catch()
        worker = cell.lane.worker
        cell.strike("the worker gets SIGTERM")
        worker.terminate()
        if cell.phase == WITHIN:
            held.release()
        if worker.ended_within(GRACE):
            cell.mark("the worker has ended by itself")
        else:
            cell.mark("the grace is over: SIGKILL")
        worker.kill()

    def heal(self, cell: Cell) -> None:
        """Start another."""
        cell.lane.add_worker()
        cell.healed("a new worker is started")
