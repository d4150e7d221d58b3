"""A flow run is walked by one worker at a time: one that was frozen asks before it goes on.

A worker that sends no heartbeats is taken for lost, and its flow runs go on elsewhere. If it was
only frozen (SIGSTOP, a suspended machine, a network that was cut), it comes back and knows of
nothing. So a worker may believe that a flow run is its own for a while after the server has said
so, which is shorter than the time after which others take it over; then it has to ask again, and
waits for the answer. Each run of a flow run has a number, the server's ``run_count``: where there
is a later one, or none, the flow run is no longer this worker's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prefect.client.schemas.objects import FlowRun, StateType

from offcanvas.engines.processes.board import now

#: Seconds for which the server's word counts, with a worker of Prefect's own.
LEASE = 5.0


def is_still(run: FlowRun, attempt: int) -> bool:
    """Whether the server has the flow run as this attempt at it left it."""
    if run.run_count != attempt or run.state is None:
        return False
    kind = run.state.type
    if run.state.is_cancelled():
        return True  # by the user; the walk revokes its tasks and ends
    return not run.state.is_final() and kind not in {StateType.SCHEDULED, StateType.PENDING}


class Fence:
    """What the server has said last about whose the flow run is.

    Args:
        ask: asks the server again; has ``seen`` called when it has answered.
        lease: seconds for which the answer counts.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]], lease: float) -> None:
        self._ask = ask
        self._lease = lease
        self._until = 0.0

    def seen(self, asked: float) -> None:
        """The server has said, to a question of that moment, that the run is this worker's."""
        self._until = max(self._until, asked + self._lease)

    async def confirmed(self) -> float:
        """The moment until when a task may begin; asks the server if that is over."""
        while now() >= self._until:
            await self._ask()
        return self._until
