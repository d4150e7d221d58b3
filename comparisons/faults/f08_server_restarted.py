"""F08: the server that hands out the work is restarted in good order."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, Held, may_lose, repeats
from comparisons.lab.probes import NotReached
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
from offcanvas.servers import Server
from shared.probe import FINISHED

# So long may a step take to end while the server is away; one that was cancelled never does.
ENDS_WITHIN = 4.0


def main_server(cell: Cell) -> Server:
    """The server that hands out the work."""
    return cell.lane.servers[cell.lane.profile.main_server]


def let_it_end(cell: Cell, held: Held) -> None:
    """The step goes on while the server is away: what it has to tell, it cannot tell now."""
    held.release()
    try:
        cell.lane.wait_until(
            lambda: bool(cell.events(FINISHED, held.event.item)), ENDS_WITHIN, "the step's end"
        )
        cell.mark("the step in hand has ended, and nobody can be told")
    except NotReached:
        cell.mark("the step in hand was cut off")


class ServerRestarted(Fault):
    """Broker or server is told to end with work queued and in hand, and is started again.

    The step in hand ends while it is away. RabbitMQ, Redis (append-only file, synced), Prefect (a
    PostgreSQL of its own) and Temporal (an SQLite file) keep their data over it. Workers are left
    to themselves.
    """

    id, title = "F08", "Server restarted"
    source = (
        "rabbitmq.com/docs/confirms: automatic requeueing; Celery user guide, configuration: "
        "broker_connection_retry, worker_cancel_long_running_tasks_on_connection_loss; "
        "docs.prefect.io: PREFECT_CLIENT_MAX_RETRIES; docs.temporal.io/encyclopedia/retry-policies"
    )
    expects = {
        NAIVE: repeats(
            "messages are persistent and the queue durable by default; what runs was acknowledged "
            "before, what was reserved comes again; the worker reconnects by itself"
        ),
        HARDENED: repeats("what was not acknowledged is delivered again when the node is back"),
        HARDENED_REDIS: may_lose(
            "the file has the queue; unacknowledged ones come back after the visibility timeout; "
            "closing the broken connection can end Celery's worker (see F09)"
        ),
        PREFECT: repeats(
            "steps need no server; the client tries five times to tell it of the end; a flow run "
            "that it could not go on with is given back by the worker and begun anew"
        ),
        TEMPORAL: repeats(
            "polls and completions are retried; a completion that is too late leads to another "
            "attempt"
        ),
        AIRFLOW: repeats(
            "API server and DAG processor go: supervisors ask for a while; an end that nobody was "
            "told is a missed heartbeat. The scheduler itself needs the database alone"
        ),
        KIT_PREFECT: repeats("tasks need no server; the worker asks again until it answers"),
        KIT_TEMPORAL: repeats("polls and completions are retried"),
    }

    def inject(self, cell: Cell) -> None:
        """End it while a step is in hand."""
        held = cell.catch()
        cell.strike(f"the {cell.lane.profile.main_server} ends, and tells its clients")
        main_server(cell).end()
        let_it_end(cell, held)

    def heal(self, cell: Cell) -> None:
        """Start it on the same data."""
        main_server(cell).start()
        cell.healed("it is back, on the same data and port")
