"""One attempt at a task, as the metrics of a worker count it."""

from __future__ import annotations

import time
from collections.abc import Callable

from offcanvas import metrics
from offcanvas.canvas.calls import FAILURE, REFUSED, RETRY, REVOKED, SUCCESS
from offcanvas.metrics.vocabulary import (
    FAILED,
    LEFT,
    LOST,
    RETRIED,
    SUCCEEDED,
    TIMED_OUT,
)
from offcanvas.metrics.vocabulary import REVOKED as COUNTED_AS_REVOKED

_STATES = {
    SUCCESS: SUCCEEDED,
    FAILURE: FAILED,
    REFUSED: FAILED,
    RETRY: RETRIED,
    REVOKED: COUNTED_AS_REVOKED,
}


class Counted:
    """Counts nothing unless metrics are on in this process.

    Args:
        engine: the label of the engine.
        task: the name of the task.
        sent: when it was sent, in UTC seconds; now unless given.
    """

    def __init__(self, engine: str, task: str, sent: float | None = None) -> None:
        self._engine, self._task = engine, task
        self._sent = time.time() if sent is None else sent
        self._end: Callable[..., None] | None = None

    def begun(self, ago: float = 0.0) -> None:
        """A process has it, since `ago` seconds."""
        meter = metrics.meter()
        if meter is not None:
            waited = time.time() - ago - self._sent
            self._end = meter.begun(self._engine, self._task, waited, ago)

    def ended(self, state: str, *, again: bool = False) -> None:
        """``state`` is that of the outcome; what the task leaves to others has been left."""
        self._as(_STATES.get(state, LEFT), again=again)

    def lost(self, *, again: bool) -> None:
        """Its process has died."""
        self._as(LOST, again=again)

    def timed_out(self) -> None:
        """Its process was killed at the hard limit."""
        self._as(TIMED_OUT)

    def revoked(self) -> None:
        """It was ended by somebody else."""
        self._as(COUNTED_AS_REVOKED)

    def not_begun(self) -> None:
        """Its process has found that it is not to run, or not now."""
        if self._end is not None:
            self._end(None)

    def _as(self, state: str, *, again: bool = False) -> None:
        if self._end is not None:
            self._end(state, again=again)
