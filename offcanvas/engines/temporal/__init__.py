"""Canvases on Temporal.

On the worker's side one command, which finishes its tasks when it is stopped::

    python -m offcanvas.engines.temporal shop:app --processes 4

or ``serve`` with a client of your own, or a plugin for the Temporal worker that you run anyway::

    from offcanvas.engines.temporal import CanvasPlugin

    worker = Worker(client, task_queue="orders", plugins=[CanvasPlugin(app)])

On the caller's side, ``offcanvas.run(signature, on="temporal")``, or ``start_canvas`` with a
client of your own.

Names are looked up when they are used: one part of the package does not import the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "CanvasPlugin": "offcanvas.engines.temporal.plugin",
    "TemporalEngine": "offcanvas.engines.temporal.engine",
    "find": "offcanvas.engines.temporal.client",
    "serve": "offcanvas.engines.temporal.serving",
    "start_canvas": "offcanvas.engines.temporal.client",
}

__all__ = ["CanvasPlugin", "TemporalEngine", "find", "serve", "start_canvas"]  # see __getattr__


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
