"""F22: one member of the fan-out fails for good."""

from __future__ import annotations

from comparisons.lab.cell import Cell
from comparisons.lab.fault import Fault, whole
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
from comparisons.lab.verdict import Found
from shared.probe import STARTED
from shared.steps import ON_ERROR


class PermanentFailure(Fault):
    """The first station's roll must not be printed: its step raises an error that no retry mends.

    The goal is another one here: all other rolls are printed, the fan-in does not run, and the
    error callback is called exactly once. The sweep must let the run alone.
    """

    id, title = "F22", "One member fails for good"
    source = (
        "Celery user guide, canvas: chord error handling; Prefect docs, how-to-guides: final "
        "states; docs.temporal.io/develop/python/error-handling"
    )
    variant = "error_in_header"
    phases = ("the first of twelve",)
    expects = {
        NAIVE: whole("siblings run, the body does not, the errback is called once"),
        HARDENED: whole("the same; the error is none of those that are retried"),
        HARDENED_REDIS: whole("the same"),
        PREFECT: whole("the flow waits for all members, then calls back and fails"),
        TEMPORAL: whole("the workflow waits for all members, then calls back and fails"),
        AIRFLOW: whole("all_success or none_failed for the body, one_failed for the callback"),
        KIT_PREFECT: whole("siblings run, the body does not, the errback is called once"),
        KIT_TEMPORAL: whole("the same"),
    }

    def prepare(self, cell: Cell) -> None:
        """Catch the step that is going to fail."""
        cell.trap(STARTED, item="C0000-1")

    def inject(self, cell: Cell) -> None:
        """Let it run into its error."""
        held = cell.catch()
        cell.strike(f"{held.event.item} fails, and will fail each time")
        held.release()

    def missed(self, cell: Cell, found: Found) -> list[str]:
        """All others, no sum, one call of the error callback."""
        called = sum(row.step == ON_ERROR for row in found.ledger)
        wrong = []
        if found.lost_count != 1 or found.files != found.expected[0] - 1 or found.stray:
            wrong.append(
                f"{found.rows_done} of {found.expected[0] - 1} other rolls, {found.files} files"
            )
        if found.total is not None:
            wrong.append("the fan-in ran in spite of the error")
        if called != 1:
            wrong.append(f"the error callback was called {called} times")
        return wrong
