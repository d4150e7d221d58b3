"""Every error the kit raises on purpose.

The class docstring is the default message; a caller that knows more passes its own.

    OffcanvasError
    ├── UsageError                  the command line exits with 2
    │   ├── BadTarget               package.module:name leads nowhere
    │   ├── BadCanvas               a signature that cannot be understood
    │   │   ├── BadArguments        arguments that do not fit the task
    │   │   ├── UnregisteredTask    a task name the app does not know
    │   │   ├── UnserialisableValue a value the app's serializer refuses
    │   │   └── CanvasTooLarge      more than the engine's server takes at a time
    │   ├── BadWire                 text that is not a canvas of ours
    │   ├── UnknownEngine           no engine of that name
    │   ├── BadEngine               an engine that is brought in a way that cannot be used
    │   ├── MissingExtra            the engine's library is not installed
    │   └── UnsupportedCanvas       what the engine cannot do, all of it at once
    └── EngineError                 the engine itself
        ├── EngineUnavailable       it is down, or of the wrong version
        └── NeverFinishes           the canvas ended without a result for its caller
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass


class CanvasWarning(UserWarning):
    """A canvas runs as Celery documents it, where Celery itself does otherwise."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that an engine cannot do.

    ``where`` is the place in the canvas (``chain[1].header[0]``), ``feature`` the row of the
    support table, ``why`` the reason with what to do instead.
    """

    where: str
    feature: str
    why: str


class OffcanvasError(Exception):
    """Something went wrong in offcanvas."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))


class UsageError(OffcanvasError):
    """The input cannot be used; nothing was started."""


class BadTarget(UsageError):
    """The target must be package.module:name and lead to a canvas or a function returning one."""


class BadCanvas(UsageError):
    """This is not a Celery canvas."""


class BadArguments(BadCanvas, TypeError):
    """The arguments do not fit the task; Celery raises TypeError for it, and this is one."""


class UnregisteredTask(BadCanvas):
    """The app has no task of this name; import the module that defines it."""


class UnserialisableValue(BadCanvas):
    """The app's serializer cannot carry a value of this canvas."""


class CanvasTooLarge(BadCanvas):
    """The canvas is larger than what the engine's server takes at a time."""


class BadWire(UsageError):
    """This text is not a canvas written by offcanvas."""


class UnknownEngine(UsageError):
    """There is no engine of this name."""


class BadEngine(UsageError):
    """A distribution brings an engine that cannot be used."""


class MissingExtra(UsageError):
    """The engine's library is not installed."""


#: Libraries that the kit imports itself, and the extra of offcanvas that brings each.
_EXTRA_OF = {
    "celery": "celery",
    "kombu": "celery",
    "billiard": "celery",
    "temporalio": "temporal",
    "prefect": "prefect",
    "sqlalchemy": "cutover",
    "tomlkit": "cutover",
}


def missing_extra(error: ModuleNotFoundError, what: str) -> MissingExtra | None:
    """What to install where ``what`` needs a library that is not there; None for any other."""
    library = (error.name or "").partition(".")[0]
    if library not in _EXTRA_OF:
        return None
    return MissingExtra(f"{what} needs {library}: pip install 'offcanvas[{_EXTRA_OF[library]}]'")


class UnsupportedCanvas(UsageError):
    """The engine cannot run this canvas."""

    def __init__(self, engine: str, gaps: Iterable[Gap]) -> None:
        self.engine = engine
        self.gaps = tuple(gaps)
        told = [f"{gap.where}: {gap.feature}: {gap.why}" for gap in self.gaps]
        if len(told) == 1:
            super().__init__(f"{engine} cannot run this canvas: {told[0]}")
        else:
            lines = [f"{engine} cannot run this canvas; {len(told)} things are in the way:", *told]
            super().__init__("\n  ".join(lines))


def line_of(error: BaseException) -> str:
    """``TypeName: text`` on one line, also of an error whose ``str()`` raises or is empty."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:
        return f"{name}{_arguments_of(error)}"
    return f"{name}: {text}" if text else name


def _arguments_of(error: BaseException) -> str:
    try:
        return " ".join(f"({', '.join(map(repr, error.args))})".split())
    except Exception:  # arguments of the user's own kinds
        return "(...)"


class EngineError(OffcanvasError):
    """The engine failed."""


class EngineUnavailable(EngineError):
    """The engine cannot be reached or has the wrong version."""


class NeverFinishes(EngineError):
    """The canvas ended without a result for its caller; on Celery, get() would wait for ever."""
