"""A claim: one order of work, where it goes, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: How a run has ended.
SUCCESS, FAILURE, GONE = "success", "failure", "gone"


@dataclass(frozen=True, slots=True)
class Claim:
    """One order of work.

    Attributes:
        id: Celery's task id, which is the workflow id and the idempotency key as well.
        root: what was ordered.
        engine: where it goes; never changed, but by ``Claims.redo``.
        key: what has decided.
        version: of the rules that have decided.
        call: how to send it, as JSON (``calls.dump``).
        made: when, in seconds since the epoch by the clock of the claims.
        sent: when it was known to be sent; None until then.
        begun: when its first task began on Celery.
        ended: when its end was seen.
        state: SUCCESS, FAILURE or GONE once it has ended.
        took: seconds from ``made`` to the end, by the engine's own word.
        redo: it is being moved back to Celery.
    """

    id: str
    root: str
    engine: str
    key: str = ""
    version: str = ""
    call: str = ""
    made: float = 0.0
    sent: float | None = None
    begun: float | None = None
    ended: float | None = None
    state: str | None = None
    took: float | None = None
    redo: bool = False


class Claims(Protocol):
    """Where claims are kept. Every method is one atomic step and may be called by anybody at once.

    Raises:
        ClaimsUnavailable: by each method; nothing is known to be changed then.
    """

    def claim(self, new: Claim, within: Any = None) -> Claim | None:
        """Insert if absent; the claim that was there before, or None if ``new`` is the first.

        ``within``: a connection whose open transaction the claim is to be part of.
        """

    def get(self, claim_id: str) -> Claim | None:
        """The claim with this id."""

    def note_sent(self, ids: Iterable[str]) -> None:
        """These have been sent."""

    def begin(self, claim_id: str, task_id: str, token: str) -> bool:
        """Whether the message with this token may run this task: the first one, or it again."""

    def begun_tasks(self, claim_id: str) -> int:
        """How many tasks of the claim have begun on Celery."""

    def unsent(self, older: float, limit: int) -> Sequence[Claim]:
        """Claims not known to be sent, made more than ``older`` seconds ago, the oldest first."""

    def open(self, limit: int, root: str | None = None) -> Sequence[Claim]:
        """Claims that were sent and whose end was not seen, the oldest first."""

    def end(self, claim_id: str, state: str, took: float | None) -> None:
        """Its end was seen."""

    def redo(self, claim_id: str, *, moved: bool) -> None:
        """It is to be moved back to Celery; ``moved``: it has been, and is to be sent there."""

    def withdraw(self, claim_id: str) -> None:
        """Remove a claim whose call was refused for good: nothing was sent."""

    def since(self, seconds: float) -> Sequence[Claim]:
        """Claims made in the last ``seconds``, and all that have not ended; without ``call``."""

    def forget(self, older: float) -> int:
        """Remove ended claims made more than ``older`` seconds ago; how many."""

    def now(self) -> float:
        """The time by the clock of the claims."""

    def create(self) -> None:
        """Make what claims need; nothing if it is there."""

    def close(self) -> None:
        """Let go of connections."""
