"""The result of a rerouted group, which asks for all its members at once.

Celery's subscribes to each member when it is made, and whoever waits for the body of its chord
looks at each member, one request each, whenever one of them has ended: with ten thousand members a
caller is busier than its workers. This one subscribes when somebody waits for the group itself, and
looks at its members with one request for a thousand of them. What is waited for, and which error is
raised, is as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from celery.result import AsyncResult
from celery.result import GroupResult as CeleryGroupResult
from vine import barrier

if TYPE_CHECKING:
    from celery import Celery

#: Members that are asked for in one request.
AT_ONCE = 1_000


class GroupResult(CeleryGroupResult):
    """See the module's first lines; another process gets Celery's own from a pickle of it."""

    def __init__(self, app: Celery, group_id: str, results: list[Any]) -> None:
        # With a barrier of its own it does not make one, which would subscribe.
        self._ended: Any = barrier()
        self._subscribed = False
        super().__init__(group_id, results, app=app, ready_barrier=self._ended)

    def __reduce__(self) -> tuple[Any, ...]:
        return CeleryGroupResult, self.__reduce_args__()

    def then(self, callback: Any, on_error: Any = None, weak: bool = False) -> Any:
        """Call ``callback`` when all members have ended."""
        self._subscribe()
        return super().then(callback, on_error, weak)

    def iter_native(self, *args: Any, **options: Any) -> Iterator[tuple[str, Any]]:
        """Ids and states of members as they end; what ``get`` and ``join`` wait with."""
        self._subscribe()
        return super().iter_native(*args, **options)

    def add(self, result: Any) -> None:
        """One more member."""
        self._subscribe()
        super().add(result)

    def maybe_throw(self, callback: Any = None, propagate: bool = True) -> None:
        """Raise the error of the first member that has failed."""
        if callback is not None:
            super().maybe_throw(callback=callback, propagate=propagate)
            return
        open_ = self._look()
        for result in self.results or ():
            if result not in open_ or _has_ended(result):
                result.maybe_throw(propagate=propagate)

    def _subscribe(self) -> None:
        """Hear of members from now on; of those that have ended already at once."""
        if self._subscribed:
            return
        self._subscribed = True
        for result in self.results or ():
            self._ended.add(result)
        self._ended.finalize()
        self._look()

    def _look(self) -> set[Any]:
        """Ask for members of which it is not known that they have ended; returns those asked for.

        A database takes no such question: there each is asked for as ever.
        """
        asked: dict[Any, dict[str, list[Any]]] = {}
        for result in self.results or ():
            if not isinstance(result, AsyncResult) or _has_ended(result):
                continue
            if result.backend.supports_native_join:
                asked.setdefault(result.backend, {}).setdefault(result.id, []).append(result)
        for backend, results in asked.items():
            ids = [*results]
            for first in range(0, len(ids), AT_ONCE):
                some = ids[first : first + AT_ONCE]
                for task_id, meta in backend.get_many(some, interval=0, max_iterations=1):
                    for result in results[task_id]:
                        result._maybe_set_cache(meta)  # noqa: SLF001  # as Celery's own look does
        return {one for results in asked.values() for same in results.values() for one in same}


def _has_ended(result: Any) -> bool:
    """Whether that is known here."""
    return result._cache is not None  # noqa: SLF001  # any property would ask the backend
