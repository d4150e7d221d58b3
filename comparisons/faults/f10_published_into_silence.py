"""F10: a run is started while the server is frozen."""

from __future__ import annotations

from comparisons.faults.f08_server_restarted import main_server
from comparisons.lab.calling import CallFailed
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

CRASHED, WOKEN = "frozen, then killed", "frozen, then woken"
SILENCE = 6.0  # seconds without an answer before the silence ends
ANSWERS_WITHIN = 90.0


class PublishedIntoSilence(Fault):
    """A run is started over a connection that works, on a server that has just been frozen: what
    is sent lies in the buffers of the machine. Then the server is killed and started again, or
    wakes up.

    A caller that is told "done" meanwhile was told so by nobody who knows.
    """

    id, title = "F10", "Published into silence"
    source = (
        "Celery user guide, calling: confirm_publish; celery issue 5410; rabbitmq.com/docs/"
        "confirms; docs.temporal.io: StartWorkflowExecution returns after persistence"
    )
    phases = (CRASHED, WOKEN)
    expects = {
        NAIVE: may_lose(
            "without confirms `apply_async` returns once the bytes are in a buffer; they die with "
            "the server, and no error tells so"
        ),
        HARDENED: repeats(
            "no confirm, no success: the caller waits and sends again; the same message can then "
            "be there twice"
        ),
        HARDENED_REDIS: repeats("each command is answered, so the caller notices; it sends again"),
        PREFECT: repeats("a call over HTTP is answered or is an error; the key finds a double"),
        TEMPORAL: repeats("a gRPC call that returns has been persisted; the id finds a double"),
        AIRFLOW: repeats("a call over HTTP is answered or is an error; the run id finds a double"),
        KIT_PREFECT: repeats("a call over HTTP is answered or is an error; the key finds a double"),
        KIT_TEMPORAL: repeats("a gRPC call that returns has been persisted; the id finds a double"),
    }

    def prepare(self, cell: Cell) -> None:
        """Warm up the caller's connection by a run of nothing, then freeze the server."""
        self._answered = False
        warm = f"warm-{cell.run_id}"
        cell.lane.caller.ask("start", variant="noop:1", run_id=warm)
        cell.lane.forget(warm)

    def start(self, cell: Cell) -> None:
        """Start the run, without waiting for an answer."""
        cell.strike(f"the {cell.lane.profile.main_server} is frozen; the run is started")
        main_server(cell).freeze()
        cell.lane.caller.send("start", variant=self.variant, run_id=cell.run_id)

    def inject(self, cell: Cell) -> None:
        """Wait for the false success that may come, then end the silence."""
        self._hear(cell, SILENCE)
        if cell.phase == CRASHED:
            cell.mark("the frozen server is killed")
            main_server(cell).kill()

    def heal(self, cell: Cell) -> None:
        """Start the server, or wake it up; the caller may still be at it."""
        if cell.phase == CRASHED:
            main_server(cell).start()
        else:
            main_server(cell).thaw()
        cell.healed("the server answers again")
        if not self._answered:
            self._hear(cell, ANSWERS_WITHIN)

    def _hear(self, cell: Cell, within: float) -> None:
        try:
            cell.execution = cell.lane.caller.receive(within)
        except CallFailed as error:
            if str(error).startswith("no answer"):
                cell.mark(f"no answer to the caller within {within:g} s")
                return
            cell.mark(f"the caller is told: {error}")
        else:
            cell.mark("the caller is told that the run has started")
        self._answered = True
