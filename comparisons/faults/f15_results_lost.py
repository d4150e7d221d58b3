"""F15: the result backend loses what it has in the middle of a chord."""

from __future__ import annotations

from redis import Redis

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, loses, repeats
from comparisons.lab.lane import STATIONS
from comparisons.lab.profiles import (
    AIRFLOW,
    HARDENED,
    HARDENED_REDIS,
    KIT_PREFECT,
    KIT_TEMPORAL,
    NAIVE,
    PREFECT,
    RESULTS,
    TEMPORAL,
)
from shared.probe import FINISHED, STARTED

EMPTIED, KILLED = "emptied", "killed, without persistence"
PARTS = 4  # that have ended by then


class ResultsLost(Fault):
    """The Redis that holds the results of a chord's members, and the counter of those that have
    ended, is emptied or killed when four of twelve have ended.

    A chord's body is sent by the member that brings the counter to its full number.
    """

    id, title = "F15", "Results lost in a chord"
    source = (
        "celery/backends/redis.py, on_chord_part_return; Celery user guide, canvas: chord "
        "unlocks; celery issue 8588 (result_backend_always_retry)"
    )
    phases = (EMPTIED, KILLED)
    expects = {
        NAIVE: loses("the counter begins again at nothing and never reaches twelve: no sum"),
        HARDENED: repeats("the rolls are there, the sum is not: the sweep adds up the rows"),
        HARDENED_REDIS: repeats("the same"),
        KIT_PREFECT: repeats(
            "results are stored again until they are; what was stored before and is gone fails "
            "the body, and the sweep adds up the rows"
        ),
        KIT_TEMPORAL: repeats("small results are in the history, too; large ones as on Prefect"),
    }
    meaningless = {
        PREFECT: "members' results are held by the flow; there is no result backend",
        AIRFLOW: "results are XComs: to lose them is to lose the metadata database",
        TEMPORAL: "results are in the history: to lose them is to lose the server's database",
    }

    def prepare(self, cell: Cell) -> None:
        """Hear of every end; the last member is held, so that the chord is still open."""
        self._ended = cell.trap(FINISHED, times=None)
        self._last = cell.trap(STARTED, item=f"C{STATIONS - 1:04}-1")

    def inject(self, cell: Cell) -> None:
        """Lose the results; then the last member goes on."""
        cell.catch(self._ended, PARTS)
        held = cell.catch(self._last)
        results = cell.lane.servers[RESULTS]
        if cell.phase == EMPTIED:
            cell.strike("the result backend is emptied")
            with Redis.from_url(results.url.replace("redis+socket://", "unix://")) as client:
                client.flushall()
        else:
            cell.strike("the result backend is killed, with all it has in memory")
            results.kill()
            results.start()
        held.release()

    def heal(self, cell: Cell) -> None:
        """It answers; what it knew is gone."""
        cell.healed("the result backend answers, and is empty")
