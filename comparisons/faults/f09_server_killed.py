"""F09: the server that hands out the work is killed."""

from __future__ import annotations

from comparisons.faults.f08_server_restarted import let_it_end, main_server
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


class ServerKilled(Fault):
    """Broker or server and all its processes get SIGKILL with work queued and in hand.

    The step in hand ends while it is away; then the server is started on what it has written. The
    machine lives, so that what was handed to the system's page cache is not lost.
    """

    id, title = "F09", "Server killed"
    source = (
        "rabbitmq.com/docs/quorum-queues: data safety; redis.io/docs: persistence, appendfsync; "
        "sqlite.org/wal.html; issue 8030 of Celery (reconnecting)"
    )
    expects = {
        NAIVE: may_lose(
            "a persistent message on a classic queue is written without haste: one that was "
            "accepted a moment ago can be gone, and nobody confirmed it"
        ),
        HARDENED: repeats(
            "a quorum queue has on disk what it has confirmed; what was not acknowledged is "
            "delivered again"
        ),
        HARDENED_REDIS: may_lose(
            "every write is synced, and the sweep finds what is missing; but closing the broken "
            "connection can end Celery's worker with an AttributeError (celery and kombu 5.7.0), "
            "and nobody starts another here"
        ),
        PREFECT: repeats(
            "the state is in PostgreSQL; leases of concurrency limits are in memory, so the sweep "
            "has no such limit; lost flow runs are given back by the worker"
        ),
        TEMPORAL: repeats("histories and timers are in the database; clients retry"),
        AIRFLOW: repeats("the state is in PostgreSQL; as for a restart"),
        KIT_PREFECT: repeats("the state is in PostgreSQL; the worker asks again until it answers"),
        KIT_TEMPORAL: repeats("histories and timers are in the database; clients retry"),
    }

    def inject(self, cell: Cell) -> None:
        """Kill it while a step is in hand."""
        held = cell.catch()
        cell.strike(f"the {cell.lane.profile.main_server} and all its processes are killed")
        main_server(cell).kill()
        let_it_end(cell, held)

    def heal(self, cell: Cell) -> None:
        """Start it on the same data."""
        main_server(cell).start()
        cell.healed("it is back, on what it had written, on the same port")
