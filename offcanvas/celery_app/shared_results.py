"""Whether the app keeps its results where several processes find them."""

from __future__ import annotations

from typing import Any

from offcanvas.errors import EngineUnavailable
from offcanvas.printable import masked

#: Beginnings of ``result_backend`` that keep nothing, or keep it for one process only.
_NOT_SHARED = ("disabled", "cache+memory", "rpc", "amqp")


def require_shared_results(app: Any) -> None:
    """Nothing, if worker processes and callers find each other's results.

    Raises:
        EngineUnavailable: the app's result backend is none that processes share.
    """
    kept = app.conf.result_backend
    if str(kept or "disabled").startswith(_NOT_SHARED):
        shown = None if kept is None else masked(str(kept))
        raise EngineUnavailable(
            f"the app {app.main or 'without a name'} has the result backend {shown!r}; callers and "
            f"workers have to share one: set result_backend to one that processes share, such as "
            f"redis, a database, or file:///path"
        )
