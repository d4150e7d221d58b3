"""The names of an app's queues, from its configuration, its tasks and its workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from celery.utils.nodenames import worker_direct


@dataclass(frozen=True, slots=True)
class Queues:
    """Names of queues.

    ``computed`` says which part of the configuration computes names only when something is sent,
    so that there may be others; empty if there is none.
    """

    names: frozenset[str]
    computed: str = ""


def queues_of(app: Any, workers: Mapping[str, Iterable[str]]) -> Queues:
    """All queues that messages of the app can be in.

    Args:
        app: the Celery app.
        workers: by name, the queues that each worker consumes from.

    Sources: ``task_queues``, ``task_default_queue``, ``task_routes``, ``queue`` of tasks and of
    entries of the schedule, ``worker_direct``, and what workers say (Celery's user guide, "Routing
    Tasks").
    """
    names = {str(name) for name in app.amqp.queues}
    names.add(str(app.conf.task_default_queue))
    names |= {str(queue) for task in app.tasks.values() if (queue := getattr(task, "queue", None))}
    entries: Mapping[str, Any] = app.conf.beat_schedule or {}
    names |= {
        str(queue)
        for entry in entries.values()
        if isinstance(entry, Mapping) and (queue := (entry.get("options") or {}).get("queue"))
    }
    for worker, consumed in workers.items():
        names |= set(consumed)
        if app.conf.worker_direct:
            names.add(str(worker_direct(worker).name))
    computed = ""
    for route in _routes(app.conf.task_routes):
        if isinstance(route, Mapping):
            names |= set(_named(route))
        else:
            computed = f"task_routes has the router {getattr(route, '__name__', route)!s}"
    return Queues(frozenset(names), computed)


def _routes(given: Any) -> Iterator[Any]:
    """Parts of ``task_routes``: dictionaries, and routers that compute (``expand_router``)."""
    if given is None:
        return
    if isinstance(given, Mapping) or callable(given) or isinstance(given, str):
        yield given
        return
    for one in given:
        if (
            isinstance(one, (list, tuple)) and len(one) == 2 and not isinstance(one[1], str | None)
        ):  # (pattern, route)
            yield {one[0]: one[1]}
        else:
            yield one


def _named(routes: Mapping[Any, Any]) -> Iterator[str]:
    for route in routes.values():
        queue = route.get("queue") if isinstance(route, Mapping) else route
        if queue is not None:
            yield str(getattr(queue, "name", queue))
