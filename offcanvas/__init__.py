"""Celery canvases: shown, run elsewhere with Celery's meaning, compared, and moved.

    import offcanvas

    print(offcanvas.show(canvas))                       # draw it; nothing is run
    offcanvas.run(canvas, on="temporal").get()          # run it, unchanged
    offcanvas.check(canvas).same                        # does every engine do as Celery does?
    with offcanvas.reroute(app, to="prefect"): ...      # move an app over; its code stays as it is

The names below are imported when they are used, so that ``import offcanvas`` needs neither Celery
nor an engine. What is not listed here is private: it can change in any release.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offcanvas import errors
    from offcanvas._check import check
    from offcanvas._reroute import Rerouting, reroute
    from offcanvas._run import run
    from offcanvas._show import show
    from offcanvas.canvas.lift import lift
    from offcanvas.checking.report import Report
    from offcanvas.engines.base import Outcome
    from offcanvas.errors import CanvasWarning, EngineError, OffcanvasError, UsageError

    __version__: str

#: The public names: the module each one comes from.
_WHERE = {
    "CanvasWarning": "offcanvas.errors",
    "EngineError": "offcanvas.errors",
    "OffcanvasError": "offcanvas.errors",
    "Outcome": "offcanvas.engines.base",
    "Report": "offcanvas.checking.report",
    "Rerouting": "offcanvas._reroute",
    "UsageError": "offcanvas.errors",
    "check": "offcanvas._check",
    "lift": "offcanvas.canvas.lift",
    "reroute": "offcanvas._reroute",
    "run": "offcanvas._run",
    "show": "offcanvas._show",
}

__all__ = [
    "CanvasWarning",
    "EngineError",
    "OffcanvasError",
    "Outcome",
    "Report",
    "Rerouting",
    "UsageError",
    "__version__",
    "check",
    "errors",
    "lift",
    "reroute",
    "run",
    "show",
]


def _found(name: str) -> Any:
    if name == "__version__":
        try:
            return version("offcanvas")
        except PackageNotFoundError:  # run from a checkout that was never installed
            return "0+unknown"
    if name == "errors":
        return import_module("offcanvas.errors")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_WHERE[name]), name)
    except ModuleNotFoundError as error:
        from offcanvas.errors import missing_extra

        missing = missing_extra(error, f"offcanvas.{name}")
        if missing is None:
            raise
        raise missing from error


if not TYPE_CHECKING:  # a type checker reads the imports above, and knows a name that is not there
    __getattr__ = _found


def __dir__() -> list[str]:
    return sorted(__all__)
