"""Canvases on Prefect.

On the worker's side one command, or `serve` from a program of yours::

    python -m offcanvas.engines.prefect shop:app --processes 4

or, in a work pool that you have anyway, a deployment that Prefect's own workers run::

    python -m offcanvas.engines.prefect shop:app --work-pool my-pool

On the caller's side, ``offcanvas.run(signature, on="prefect")``, or
``offcanvas.reroute(app, to="prefect")``.

Names are looked up when they are used: importing Prefect takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "Caller": "offcanvas.engines.prefect.client",
    "PrefectEngine": "offcanvas.engines.prefect.engine",
    "canvas": "offcanvas.engines.prefect.flow",
    "serve": "offcanvas.engines.prefect.worker",
}

__all__ = ["Caller", "PrefectEngine", "canvas", "serve"]  # see __getattr__


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
