"""Targets of the command line: ``package.module:name`` to what stands there."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offcanvas.errors import BadTarget

if TYPE_CHECKING:
    from collections.abc import Sequence


def load(target: str) -> Any:
    """The object at ``target``; the current directory is importable, as it is for ``celery -A``.

    Raises:
        BadTarget: not of the form package.module:name, does not import, or the name is not there.
    """
    module_name, colon, path = target.partition(":")
    if not colon or not module_name or not path:
        raise BadTarget(f"{target}: write it as package.module:name, for example orders.tasks:flow")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises is the answer, on one line
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadTarget(f"{target}: importing {module_name} failed with {what}") from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise BadTarget(f"{target}: {module_name} has no {path}") from None
    return found


def canvas(target: str, arguments: Sequence[str] = ()) -> Any:
    """The Celery signature at ``target``, calling what stands there with ``arguments`` if need be.

    A Celery task is taken as its signature with the arguments; any other callable is called with
    them and must return a signature. Each argument is a Python literal, or text as it is; a
    leading ``name=`` makes it a keyword argument.

    Raises:
        BadTarget: no canvas and nothing that returns one, or arguments that do not fit.
    """
    found = load(target)
    args, kwargs = _parse(arguments)
    if _is_signature(found):
        if arguments:
            raise BadTarget(f"{target}: is a canvas, not a function; it takes no --arg")
        return found
    if not callable(found):
        raise BadTarget(
            f"{target}: is {_a(type(found).__name__)}, neither a canvas nor a function "
            "that returns one"
        )
    make = found.s if hasattr(found, "apply_async") and hasattr(found, "s") else found
    try:
        made = make(*args, **kwargs)
    except Exception as error:  # a wrong --arg and a failing function look alike from outside
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadTarget(f"{target}: calling it failed with {what}; check --arg") from error
    if not _is_signature(made):
        raise BadTarget(f"{target}: returned {_a(type(made).__name__)}, not a canvas")
    return made


def _is_signature(found: object) -> bool:
    return isinstance(found, dict) and {"task", "args", "kwargs", "options"} <= found.keys()


def _a(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _parse(arguments: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if equals and name.isidentifier():
            kwargs[name] = _literal(text)
        else:
            args.append(_literal(argument))
    return args, kwargs


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
