"""F14: the application's database goes away."""

from __future__ import annotations

from sqlalchemy import text

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, may_lose, repeats
from comparisons.lab.profiles import (
    AIRFLOW,
    DATABASE,
    HARDENED,
    HARDENED_REDIS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    TEMPORAL,
)
from shared.probe import IN_TRANSACTION

CUT, KILLED, FROZEN = "connections cut", "killed for 12 s", "frozen for 12 s"
# Longer than the retries of a step, which wait 1, 2 and 4 seconds.
OUTAGE = 12.0


class DatabaseOutage(Fault):
    """PostgreSQL goes away while a step is in the middle of its transaction: all connections are
    terminated, or the server is killed, or frozen, for twelve seconds.

    That is longer than the retries of a step last: three, after one, two and four seconds.
    """

    id, title = "F14", "Database outage"
    source = (
        "Celery user guide, tasks: autoretry_for; PostgreSQL, pg_terminate_backend; "
        "docs.temporal.io/encyclopedia/retry-policies; Prefect docs: retries"
    )
    phases = (CUT, KILLED, FROZEN)
    expects = {
        NAIVE: may_lose("no retry: the task fails and the chord with it; frozen is only slow"),
        HARDENED: repeats("retried; what has used up its retries is queued again by the sweep"),
        HARDENED_REDIS: repeats("the same"),
        PREFECT: repeats("the same: retries, then a repair, started by the sweep"),
        TEMPORAL: repeats("the same: attempts, then a repair, started by the sweep"),
        AIRFLOW: repeats("the same: retries, then a repair, started by the sweep"),
        KIT_PREFECT: repeats("Celery's retries, then the sweep"),
        KIT_TEMPORAL: repeats("the same"),
    }

    def prepare(self, cell: Cell) -> None:
        """Hold a step in its transaction."""
        cell.trap(IN_TRANSACTION)

    def inject(self, cell: Cell) -> None:
        """Take the database away, and let the step run into that."""
        held = cell.catch()
        server = cell.lane.servers[DATABASE]
        if cell.phase == CUT:
            cell.strike("all connections to the database are terminated")
            with cell.lane.session() as session:
                session.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                    )
                )
        else:
            cell.strike(f"the database is {cell.phase}")
            (server.kill if cell.phase == KILLED else server.freeze)()
        held.release()
        if cell.phase != CUT:
            cell.lane.pause(OUTAGE)

    def heal(self, cell: Cell) -> None:
        """Bring it back."""
        server = cell.lane.servers[DATABASE]
        server.thaw()
        server.start()
        cell.healed("the database answers")
