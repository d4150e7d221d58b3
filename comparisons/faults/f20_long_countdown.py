"""F20: a countdown that is longer than the broker's patience."""

from __future__ import annotations

import time

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, repeats, whole
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

COUNTDOWN = 1.5 * INTERVALS["VISIBILITY_TIMEOUT"]
QUIET, KILLED = "undisturbed", "worker killed meanwhile"


class LongCountdown(Fault):
    """Every step of the header is due 45 s from now, one and a half times the visibility timeout.
    Either nothing else happens, or the worker is killed meanwhile and a new one started.

    On Prefect and Temporal the run as a whole is due then. The sweep, which would take a run that
    waits for a gap, is paused on Celery.
    """

    id, title = "F20", "Countdown beyond the timeout"
    source = (
        "Celery, backends-and-brokers/redis: visibility timeout; backends-and-brokers/rabbitmq: "
        "native delayed delivery; docs.temporal.io/workflow-execution/timers-delays"
    )
    phases = (QUIET, KILLED)
    expects = {
        NAIVE: repeats("held unacknowledged in the worker; RabbitMQ gives them to the next one"),
        HARDENED: repeats("they wait in RabbitMQ's own delayed queues, and come once"),
        HARDENED_REDIS: repeats(
            "given back each time the visibility timeout has passed: every copy is executed"
        ),
        PREFECT: whole("the time is in the server's database"),
        TEMPORAL: whole("the start is delayed by a timer in the server's database"),
        AIRFLOW: whole("the DAG run has a date in the database from which on it may run"),
        KIT_PREFECT: repeats(
            "the time is in the flow run, and the worker that takes it over waits for the rest"
        ),
        KIT_TEMPORAL: repeats("timers of the workflow are in the server's database"),
    }

    waits = COUNTDOWN

    def prepare(self, cell: Cell) -> None:
        """Pause the sweep; see when the first step begins."""
        if cell.lane.profile.engine == "celery" and cell.lane.sweeper is not None:
            cell.lane.sweeper.freeze()

    def start(self, cell: Cell) -> None:
        """Start the run for later."""
        self._due = time.time() + COUNTDOWN
        cell.strike(f"the run is started, to be executed in {COUNTDOWN:g} s")
        cell.execution = cell.lane.caller.ask(
            "call",
            function=f"{cell.lane.profile.states}:start_later",
            arguments=[cell.run_id, COUNTDOWN],
        )

    def inject(self, cell: Cell) -> None:
        """Kill the worker once it has what it is going to have."""
        if cell.phase == KILLED:
            cell.lane.wait_until(
                lambda: not cell.lane.caller.ask("queued"), COUNTDOWN / 2, "an empty queue"
            )
            cell.mark("the worker is killed, a new one is started")
            cell.lane.worker.kill()
            cell.lane.add_worker()

    def heal(self, cell: Cell) -> None:
        """Wait for the time that was asked for."""
        cell.lane.pause(max(0.0, self._due - time.time()))
        early = len(cell.events(STARTED))
        cell.healed(f"the time has come; {early} steps had begun before it")

    def clean(self, cell: Cell) -> None:
        """Let the sweep go on."""
        if cell.lane.sweeper is not None:
            cell.lane.sweeper.wake()
