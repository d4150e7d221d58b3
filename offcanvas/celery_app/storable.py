"""Whether results can be stored: a store that is full still answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offcanvas import metrics

if TYPE_CHECKING:
    from celery import Celery

_PROBE = "offcanvas-probe"
_KEPT = 60  # seconds


def count_if_not_storable(app: Celery, engine: str) -> None:
    """Store something in a Redis, and count it for ``engine`` if that fails.

    Other result backends are not asked.
    """
    meter = metrics.meter()
    client: Any = getattr(app.backend, "client", None)
    if meter is None or not hasattr(client, "set"):
        return
    try:
        client.set(_PROBE, b"", ex=_KEPT)
    except Exception:  # of whatever kind: it was not stored
        meter.not_stored(engine)
