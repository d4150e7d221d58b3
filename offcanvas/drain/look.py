"""One look at everything in which work of an app can wait."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kombu.exceptions import KombuError

from offcanvas.celery_app.seam import route_for
from offcanvas.drain.broker import known_workers, waiting_in_broker
from offcanvas.drain.findings import Finding, Look, Place
from offcanvas.drain.queues import queues_of
from offcanvas.drain.results import kept_results
from offcanvas.drain.schedule import enabled_entries
from offcanvas.drain.workers import Workers, ask_workers
from offcanvas.errors import EngineUnavailable, OffcanvasError
from offcanvas.printable import masked

#: Seconds for the broker to answer.
_CONNECT = 5
#: Claims that are counted.
_MOST = 100_000


def look(app: Any) -> Look:
    """Ask the broker, the workers, the result backend and the schedule of ``app``.

    Raises:
        EngineUnavailable: the broker does not answer, or its address cannot be used.
    """
    app.finalize()
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_CONNECT)
            errors = (*connection.connection_errors, *connection.channel_errors)
            try:
                return _look(app, connection)
            except errors as error:
                raise _no_answer(app, error) from error
    except (OSError, KombuError, KeyError, ValueError, ImportError) as error:
        raise _no_answer(app, error) from error


def _no_answer(app: Any, error: Exception) -> EngineUnavailable:
    reason = " ".join(str(error).split()) or type(error).__name__
    address = masked(str(app.conf.broker_read_url or app.conf.broker_url))
    return EngineUnavailable(f"the broker {address} cannot be asked: {reason:.200}")


def _look(app: Any, connection: Any) -> Look:
    known = known_workers(connection, app)
    workers = ask_workers(app, connection, known)
    queues = queues_of(app, workers.consumed)
    answering = len(workers.consumed)
    silent = max(0, known - answering) if known is not None else 0
    told = f"{answering} of {known} answer; a killed one may still be listed" if silent else ""
    findings = [
        *waiting_in_broker(connection, queues, workers.consumed, workers.held),
        _scheduled(app, workers),
        Finding(Place.RESERVED, len(workers.reserved), _names(workers.reserved)),
        Finding(Place.ACTIVE, len(workers.active), _names(workers.active)),
        *kept_results(app, workers),
        _claimed(app),
        enabled_entries(app),
        Finding(Place.WORKERS, silent, told),
        Finding(
            Place.REVOKED,
            len(workers.revoked),
            "lost when the workers stop" if workers.revoked else "",
        ),
    ]
    order = list(Place)
    return Look(tuple(sorted(findings, key=lambda one: order.index(one.place))), workers.begun)


def _claimed(app: Any) -> Finding:
    """What a producer has claimed for Celery and not sent: the sweep of the cut-over will."""
    route: Any = route_for(app)
    while route is not None and not hasattr(route, "claims"):
        route = getattr(route, "inner", None)  # a recording stands before it
    if route is None:
        return Finding(Place.CLAIMS, 0)
    try:
        claims = route.claims.unsent(0.0, _MOST)
    except OffcanvasError as error:
        return Finding(Place.CLAIMS, None, str(error))
    roots = Counter(one.root for one in claims if one.engine == "celery")
    some = [f"{name}: {count}" for name, count in sorted(roots.items())]
    return Finding(Place.CLAIMS, roots.total(), ", ".join(some))


def _scheduled(app: Any, workers: Workers) -> Finding:
    waiting = [one for one in workers.scheduled if one.get("eta")]
    if not waiting:
        return Finding(Place.SCHEDULED, len(workers.scheduled))
    last = max(waiting, key=lambda one: str(one["eta"]))
    retries = sum(_is_retry(app, one["request"]["id"]) for one in workers.scheduled)
    detail = f"the last is {last['request']['name']} at {last['eta']}"
    if retries:
        detail += f"; {retries} of them {'is a retry' if retries == 1 else 'are retries'}"
    return Finding(Place.SCHEDULED, len(workers.scheduled), detail)


def _is_retry(app: Any, task_id: str) -> bool:
    # A worker does not say how often a task was tried; its stored state does.
    try:
        return bool(app.AsyncResult(task_id).state == "RETRY")
    except Exception:  # a backend that is away makes the words poorer, not the count
        return False


def _names(tasks: Any) -> str:
    counted = Counter(str(one["name"]) for one in tasks)
    return ", ".join(f"{name}: {count}" for name, count in sorted(counted.items()))
