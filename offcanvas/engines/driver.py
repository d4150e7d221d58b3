"""What an engine does for the walker: run one task, wait, run branches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, overload

from offcanvas.canvas.calls import (
    Branch,
    ChordFailure,
    Context,
    End,
    ErrorWire,
    TaskCall,
    TaskOutcome,
)
from offcanvas.canvas.nodes import Group, Value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Members(Sequence[Branch]):
    """The members of a group as branches, each made when it is asked for."""

    group: Group
    given: tuple[Value, ...]
    context: Context
    headers: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.group.members)

    @overload
    def __getitem__(self, index: int) -> Branch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Branch]: ...
    def __getitem__(self, index: int | slice) -> Branch | list[Branch]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        member = self.group.members[index]
        place = replace(self.context, group_index=index)
        return Branch(member, self.given, place, headers=self.headers)


class Driver(Protocol):
    """What an engine does for the walker. Methods may be called concurrently."""

    async def run_task(self, call: TaskCall) -> TaskOutcome:
        """Run one attempt in a worker (``task_runtime.run_task``). Task failures are outcomes.

        A task is revoked if any of ``stamps.names_of(call)`` was: its id, or a stamped header.
        """

    async def fail_chord(self, failure: ChordFailure) -> TaskOutcome:
        """Fail a chord's body and fire its errbacks (``task_runtime.fail_chord``)."""

    async def store_failures(
        self, task_ids: Sequence[str], error: ErrorWire, culprit: str | None
    ) -> None:
        """Store ``error`` for tasks that will never run (``task_runtime.store_failures``)."""

    async def carry(self, values: list[Value]) -> Value:
        """What travels for the values of a group: they themselves, or a reference to them.

        A driver that sends calls as messages of a limited size needs the latter.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait; durable where the engine can."""

    def now(self) -> float:
        """Seconds since the epoch, from a clock that replays where the engine replays."""

    async def gather(
        self, branches: Sequence[Branch], walk: Callable[[Branch], Awaitable[End]]
    ) -> list[End]:
        """Walk all branches and return all ends, in the order of the branches.

        ``walk`` does it here; an engine may instead send branches elsewhere, in slices, and walk
        them there with a walker of its own.
        """

    def spawn(self, branch: Branch) -> None:
        """Start a tree of its own; the walk does not wait for it."""

    async def at_step(self, rest: Branch) -> None:
        """Called between the steps of the outermost chain with what is left to do.

        The place to continue a long chain elsewhere: raise what ends this walk, and walk ``rest``
        there.
        """
