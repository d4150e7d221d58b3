"""Metrics of a process, in Prometheus' format, on one port of its own.

Nothing is counted until `start` is called, and nothing that is wrong with the port or the library
keeps a worker from its work: one line says so. The
reference and the kit each have this package, because neither may import the other; a test compares
the two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offcanvas.metrics.counting import Meter
    from offcanvas.metrics.sight import Sight
    from offcanvas.metrics.watching import Watch

log = logging.getLogger(__name__)

HOST = "127.0.0.1"

_meters: list[Meter] = []
_watched: set[str] = set()


def meter() -> Meter | None:
    """What this process counts with; None while nobody has asked for metrics."""
    return _meters[0] if _meters else None


def start(port: int | None = None, host: str = HOST, *, registry: Any = None) -> Meter | None:
    """Count from now on, and tell it at `http://host:port/metrics`.

    Args:
        port: where Prometheus asks; None to open none, where `registry` is served already.
        host: the interface; only this machine by default.
        registry: a `prometheus_client.CollectorRegistry` to add the metrics to.

    Returns None, after one line in the log, where the library is missing or the port is taken.
    """
    if _meters:
        return _meters[0]
    try:
        from prometheus_client import start_http_server

        from offcanvas.metrics.counting import Meter
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        log.warning(
            "no metrics: prometheus_client is not installed: pip install 'offcanvas[metrics]'"
        )
        return None
    counting = Meter(registry)
    if port is not None:
        try:
            start_http_server(port, host, counting.registry)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            log.warning(
                "no metrics: port %d of %s cannot be opened (%s); name a free one",
                port, host, reason,
            )  # fmt: skip
            return None
    _meters.append(counting)
    return counting


def watch(engine: str, look: Callable[[], Sight], every: float | None = None) -> Watch | None:
    """Look at an engine as a whole every so often until `stop`, if metrics are on.

    One watch an engine: two would tell the same number twice.
    """
    counting = meter()
    if counting is None or engine in _watched:
        return None
    from offcanvas.metrics.watching import EVERY, Watch

    def forget() -> None:
        _watched.discard(engine)
        counting.registry.unregister(watching)

    watching = Watch(engine, look, every or EVERY, forget)
    _watched.add(engine)
    counting.registry.register(watching)
    watching.start()
    return watching


def knows(engine: str, tasks: Iterable[str]) -> None:
    """Begin the counts of these tasks with zero, if metrics are on."""
    counting = meter()
    if counting is not None:
        counting.knows(engine, tasks)
