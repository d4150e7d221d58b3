"""What can go wrong between a call and its engine, for the code that calls."""

from __future__ import annotations

from offcanvas.errors import EngineUnavailable, UsageError


class ClaimsUnavailable(EngineUnavailable):
    """The claims cannot be read or written; nothing was sent.

    ``sure``: nothing was claimed either, as no connection came about.
    """

    def __init__(self, where: str, reason: str, *, sure: bool = False) -> None:
        self.sure = sure
        super().__init__(
            f"the claims in {where} cannot be used ({reason:.160}); nothing was sent. "
            + (
                "Start that server, or mend claims = in the rule file"
                if sure
                else "Has 'offcanvas cutover set' been run, which makes what they need?"
            )
        )


class SendUnsure(EngineUnavailable):
    """The order is claimed, and whether it was sent is not known.

    It is sent by the sweep if it was not. A call that is repeated with the same task id is safe.
    """

    def __init__(self, task_id: str, engine: str, reason: str) -> None:
        self.task_id = task_id
        super().__init__(
            f"the order {task_id} is claimed for {engine}, and whether it has arrived is not known "
            f"({reason:.160}). The sweep sends it if it has not; calling again with "
            f"task_id={task_id!r} is safe, without it is a second order"
        )


class NotCarried(UsageError):
    """The call says something that the port cannot be told; nothing was sent."""
