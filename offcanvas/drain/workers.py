"""What workers have in hand, by their own word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Seconds for workers to answer the first question, and the others.
_FIRST, _FURTHER = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers that answer.

    Attributes:
        consumed: by name, the queues that each consumes from.
        scheduled: tasks whose time has not come, with ``eta`` (ISO) and ``request``.
        reserved: tasks taken and not begun.
        active: tasks that run.
        revoked: ids remembered as revoked.
        begun: how many tasks each has begun since it came up.
    """

    consumed: Mapping[str, tuple[str, ...]]
    scheduled: Sequence[Mapping[str, Any]] = ()
    reserved: Sequence[Mapping[str, Any]] = ()
    active: Sequence[Mapping[str, Any]] = ()
    revoked: Sequence[str] = ()
    begun: tuple[tuple[str, int], ...] = ()

    @property
    def held(self) -> int:
        """How many tasks they have in hand."""
        return len(self.scheduled) + len(self.reserved) + len(self.active)


def ask_workers(app: Any, connection: Any, known: int | None) -> Workers:
    """Ask all workers; one that does not answer in time is not in the answer.

    ``known`` is how many there should be: if fewer answer at first, they are given more time.
    """
    inspect: Any = app.control.inspect(timeout=_FIRST, connection=connection)
    answered = inspect.ping() or {}
    inspect.timeout = _FURTHER
    if known is not None and len(answered) < known:
        answered = inspect.ping() or {}
    if not answered:
        return Workers({})
    # Who answers is known by now: further questions need not wait for others.
    inspect.limit = len(answered)
    consumed = {
        worker: tuple(str(queue["name"]) for queue in queues)
        for worker, queues in (inspect.active_queues() or {}).items()
    }
    # In the order in which a task moves on: one that does so in between is counted twice, never
    # missed.
    scheduled = _flat(inspect.scheduled())
    reserved = _flat(inspect.reserved())
    active = _flat(inspect.active())
    stats = inspect.stats() or {}
    begun = tuple(sorted((name, sum(one["total"].values())) for name, one in stats.items()))
    waiting = {one["request"]["id"] for one in scheduled}
    return Workers(
        {**dict.fromkeys(answered, ()), **consumed},
        scheduled,
        [one for one in reserved if one["id"] not in waiting],
        active,
        [str(one) for one in _flat(inspect.revoked())],
        begun,
    )


def _flat(told: Mapping[str, Sequence[Any]] | None) -> list[Any]:
    return [one for each in (told or {}).values() for one in each]
