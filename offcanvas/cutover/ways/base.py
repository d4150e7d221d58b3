"""What each way can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from offcanvas.cutover.calls import Call
from offcanvas.cutover.claims import Claim

#: Arguments of ``apply_async`` that a workflow can be told, or that speak of a message only.
CARRIED = frozenset({"task_id", "countdown", "eta", "root_id", "parent_id", "ignore_result"})


class Refused(Exception):  # noqa: N818  # as all errors here, it says what has happened
    """The engine has said no, for good: nothing was started. ``cause`` is what the caller gets."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(str(cause))


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that can be sent: what can be wrong with it was looked at, and nothing was sent.

    Attributes:
        result: what the caller gets.
        send: sends it; raises ``Refused`` if nothing was started, any other error if that is not
            known. May be called again after an error.
        entries: how many messages the call is on Celery.
    """

    result: Any
    send: Callable[[], None]
    entries: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run has ended.

    Attributes:
        state: one of ``claims``.
        at: when, in seconds since the epoch; None if nobody says.
        value: what it came to, where Celery's backend has to be told.
        error: type and text of its error, likewise.
        stored: whether Celery's backend has the result already.
    """

    state: str
    at: float | None = None
    value: Any = None
    error: tuple[str, str] | None = None
    stored: bool = True


class Way(Protocol):
    """One way an order can go."""

    def ready(self, call: Call) -> Ready:
        """Look at everything that can be wrong with the call.

        Raises:
            OffcanvasError: it cannot go this way, or nobody is there to take it.
        """

    def ended(self, claim: Claim) -> Ended | None:
        """How the run of a claim has ended; None while it has not."""

    def cut_short(self, claim: Claim) -> bool:
        """End it where it stands; False if it had ended by itself."""

    def look(self) -> list[str]:
        """What keeps orders from being taken, now: one line each.

        Raises:
            OffcanvasError: the engine cannot be asked.
        """

    def revoke(self, ids: list[str], *, terminate: bool) -> None:
        """``AsyncResult(id).revoke()`` of what went this way."""

    def close(self) -> None:
        """Let go of connections."""


class Server(Protocol):
    """What is asked of an engine's server, whoever runs the canvas there."""

    def require_taker(self) -> None:
        """See that somebody takes what is sent; asked at most every half a minute.

        Raises:
            EngineUnavailable: nobody does.
        """

    def look(self) -> list[str]:
        """Why nobody would take it, one line each."""

    def is_refusal(self, error: BaseException | None) -> bool:
        """Whether the server has said no for good, so that nothing was started."""

    def ended(self, claim_id: str, *, read: bool) -> Ended | None:
        """How the run of this id has ended; ``read``: with its result."""

    def cut_short(self, claim_id: str) -> bool:
        """End it where it stands; False if it had ended by itself, or is not there."""
