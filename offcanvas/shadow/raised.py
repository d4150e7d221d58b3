"""Errors of the record, raised again: of their own class, so that a candidate tells them apart."""

from __future__ import annotations

import builtins
import sys
from importlib import import_module
from typing import Any

from offcanvas.shadow.recording import Attempt


def error_of(attempt: Attempt) -> Exception:
    """The error of an attempt, with its text.

    Its class is found by its module, or among Python's own; one that nobody has any more is made,
    under its name.
    """
    kind, text = attempt.error or ("Exception", "")
    found = _class(attempt.where, kind)
    # Of a class of one's own nobody knows what it wants to be made of.
    made: Any = type(
        kind, (found,), {"__str__": lambda _self: text, "__module__": found.__module__}
    )
    error: Exception = made.__new__(made)
    error.args = (text,)
    return error


def _class(where: str, kind: str) -> type[Exception]:
    module, _, path = where.partition(":")
    found: Any = None
    if module and path:
        try:
            found = sys.modules.get(module) or import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            found = None
    if found is None:
        found = getattr(builtins, kind, None)
    usable = isinstance(found, type) and issubclass(found, Exception)
    return found if usable else Exception
