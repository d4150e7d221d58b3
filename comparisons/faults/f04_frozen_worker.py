"""F04: a worker is frozen for longer than it may be silent, and wakes up."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, repeats
from comparisons.lab.probes import NotReached
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
from shared.probe import COMMITTED, IN_TRANSACTION, STARTED

# Before the step's own time limit would come into it; where nobody looks, it need not be so long.
LONGEST = 0.75 * INTERVALS["STEP_TIME_LIMIT"]
SHORT = 10.0


class FrozenWorker(Fault):
    """The worker and all its processes get SIGSTOP, as a virtual machine that is moved or a machine
    that swaps; a second worker is there. Once another attempt at the step has begun, or after 19 s
    without one (10 s where nobody looks), the first worker wakes up and goes on where it stood.

    A worker frozen in its transaction holds its locks: the other attempt waits for it.
    """

    id, title = "F04", "Worker frozen, then woken"
    source = (
        "rabbitmq.com/docs/heartbeats; Celery, backends-and-brokers/redis: visibility timeout; "
        "prefect_impl/reconcile.py, Prefect issues 16459, 18653; "
        "docs.temporal.io/encyclopedia/detecting-activity-failures"
    )
    phases = (STARTED, IN_TRANSACTION, COMMITTED)
    expects = {
        NAIVE: repeats(
            "the step was acknowledged before: nobody else gets it, and it ends when the worker "
            "wakes up"
        ),
        HARDENED: repeats(
            "RabbitMQ misses two heartbeats, closes the connection and gives the steps to the "
            "other worker; the woken one finishes its own attempt or cancels it"
        ),
        HARDENED_REDIS: repeats(
            "Redis sees no silence: the sweep finds the gap, or the visibility timeout passes"
        ),
        PREFECT: repeats(
            "the other worker takes the silent one for gone and begins the run anew; the woken "
            "flow goes on all the same"
        ),
        TEMPORAL: repeats(
            "the activity's heartbeat times out; the late completion of the first attempt is "
            "refused"
        ),
        AIRFLOW: repeats(
            "the other scheduler takes the task instance for gone when its heartbeat is missed; "
            "the woken supervisor is told that it is no longer the one, and ends its task"
        ),
        KIT_PREFECT: repeats(
            "the other worker takes the silent one for gone; the woken one asks before it begins "
            "a task"
        ),
        KIT_TEMPORAL: repeats(
            "the heartbeat times out; the late completion of the first attempt is refused"
        ),
    }
    settle = 4.0

    def prepare(self, cell: Cell) -> None:
        """Hold a step. Only one worker takes work yet: it is that one's."""
        cell.trap()

    def inject(self, cell: Cell) -> None:
        """Freeze the worker, start the other, and wait until the step is begun again."""
        held = cell.catch()
        frozen = cell.lane.worker
        cell.strike("the worker and all its processes are frozen")
        frozen.freeze()
        held.release()  # not heard before it wakes up
        cell.lane.add_worker()
        longest = LONGEST if cell.lane.profile.recovers else SHORT
        try:
            cell.lane.wait_until(lambda: cell.struck_again() is not None, longest, "a new attempt")
        except NotReached:
            cell.mark(f"nobody else has begun the step in {longest:g} s")
        self._frozen = frozen

    def heal(self, cell: Cell) -> None:
        """Wake it up."""
        self._frozen.wake()
        cell.healed("the frozen worker wakes up")
