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
    │   ├── MissingExtra            the engine's library is not installed
    │   └── UnsupportedCanvas       what the engine cannot do, all of it at once
    └── EngineError                 the engine itself
        ├── EngineUnavailable       it is down, or of the wrong version
        └── NeverFinishes           the canvas ended without a result for its caller
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from offcanvas.engines.base import Gap


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


class BadArguments(BadCanvas):
    """The arguments do not fit the task."""


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


class MissingExtra(UsageError):
    """The engine's library is not installed."""


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


class EngineError(OffcanvasError):
    """The engine failed."""


class EngineUnavailable(EngineError):
    """The engine cannot be reached or has the wrong version."""


class NeverFinishes(EngineError):
    """The canvas ended without a result for its caller; on Celery, get() would wait for ever."""
