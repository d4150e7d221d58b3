"""F05: one item kills the process of whoever touches it."""

from __future__ import annotations

import os
import signal
import time

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.probes import Held
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
from shared.steps import GENERATE

DEADLY_FOR = 15.0  # seconds


class PoisonItem(Fault):
    """Whoever works on one certain station is killed, for 15 s; then the item is harmless,
    as after a corrected release.

    Attempts within those seconds tell how hard an engine runs against the wall; the ledger tells
    what became of the other stations meanwhile.
    """

    id, title = "F05", "Poison item"
    source = (
        "Celery user guide, configuration: task_reject_on_worker_lost (warning); RabbitMQ "
        "docs/quorum-queues: delivery limit since 4.0; docs.temporal.io/encyclopedia/retry-policies"
    )
    phases = (STARTED, IN_TRANSACTION)
    expects = {
        NAIVE: loses("WorkerLostError at the first attempt, and no second one"),
        HARDENED: repeats(
            "given back and taken again, without a pause and without a limit before RabbitMQ 4; "
            "the other slot goes on"
        ),
        HARDENED_REDIS: repeats("the same loop: Redis counts no deliveries"),
        PREFECT: repeats(
            "given up after retries=3, the flow run fails; the sweep repairs it once the item is "
            "harmless"
        ),
        TEMPORAL: repeats(
            "given up after four attempts, the workflow fails; the sweep repairs it once the item "
            "is harmless"
        ),
        AIRFLOW: repeats(
            "given up after four attempts, the DAG run fails; the sweep repairs it once the item "
            "is harmless"
        ),
        KIT_PREFECT: repeats(
            "the task runs again at once, as with Celery, until the item is harmless"
        ),
        KIT_TEMPORAL: repeats("the same"),
    }
    spoils_worker = True

    def prepare(self, cell: Cell) -> None:
        """Kill whoever comes to the point, until the time is over."""
        self._until = float("inf")
        trap = cell.trap(item="C0000-1", times=None)
        trap.then = self._kill

    def _kill(self, held: Held) -> None:
        if time.monotonic() > self._until:
            held.release()
        else:
            os.kill(held.event.pid, signal.SIGKILL)

    def inject(self, cell: Cell) -> None:
        """The first death is the fault; others follow."""
        held = cell.catch()
        self._until = time.monotonic() + DEADLY_FOR
        cell.strike(f"whoever works on {held.event.item} dies, for {DEADLY_FOR:g} s")
        cell.lane.pause(DEADLY_FOR)

    def heal(self, cell: Cell) -> None:
        """The time is over."""
        deaths = len(cell.traps[0].caught)
        others = {row.item for row in cell.look().ledger if row.step == GENERATE}
        cell.healed(
            f"the item is harmless from now on, after {deaths} deaths; {len(others)} other "
            "stations are printed by now"
        )
