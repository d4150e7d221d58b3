"""Targets of the command line: ``package.module:name`` to what stands there."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offcanvas.errors import BadTarget, OffcanvasError

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
    _current_directory_first()
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises is the answer, on one line
        hint = ""
        if type(error).__name__ in _NOT_SET_UP and type(error).__module__.startswith("django."):
            hint = "; name the app, which sets Django up: -A, as for celery"
        raise BadTarget(
            f"{target}: importing {module_name} failed with {_line(error)}{hint}"
        ) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise BadTarget(f"{target}: {module_name} has no {path}") from None
    return found


def use_app(name: str | None) -> None:
    """Make ``name`` the app, as ``celery -A name`` does; its tasks are imported, Django is set up.

    Without a name the app is what the target's module makes it, and Django is set up if
    DJANGO_SETTINGS_MODULE names its settings.

    Raises:
        BadTarget: there is no app of this name, or it cannot be set up.
    """
    _current_directory_first()
    try:
        if name is not None:
            from celery.app.utils import find_app

            app = find_app(name)
            app.set_default()
            app.set_current()
            app.loader.import_default_modules()
        elif os.environ.get("DJANGO_SETTINGS_MODULE"):
            importlib.import_module("django").setup()
    except Exception as error:  # whatever the user's modules raise is the answer, on one line
        what = "setting up Django" if name is None else f"-A {name}: finding the app and its tasks"
        raise BadTarget(f"{what} failed with {_line(error)}") from error


def canvas(target: str, arguments: Sequence[str] = (), *, app: str | None = None) -> Any:
    """The Celery signature at ``target``, calling what stands there with ``arguments`` if need be.

    A Celery task is taken as its signature with the arguments; any other callable is called with
    them and must return a signature, or send one: it is caught (``offcanvas.engines.caught``). Each
    argument is a Python literal, or text as it is; a leading ``name=`` makes it a keyword argument.
    ``app`` is for ``use_app``.

    Raises:
        BadTarget: no canvas and nothing that makes one, or arguments that do not fit.
    """
    use_app(app)
    found = load(target)
    args, kwargs = _parse(arguments)
    if _is_signature(found):
        if arguments:
            raise BadTarget(f"{target}: is a canvas, not a function; it takes no --arg")
        return found
    if not callable(found):
        raise BadTarget(
            f"{target}: is {_a(type(found).__name__)}, neither a canvas nor a function "
            "that makes one"
        )
    try:
        if hasattr(found, "apply_async") and hasattr(found, "s"):
            return found.s(*args, **kwargs)
        from offcanvas.engines.caught import caught

        made, sent = caught(lambda: found(*args, **kwargs))
    except OffcanvasError:
        raise
    except Exception as error:  # a wrong --arg and a failing function look alike from outside
        raise BadTarget(f"{target}: calling it failed with {_line(error)}; check --arg") from error
    if _is_signature(made):
        return made
    if len(sent) == 1:
        return sent[0]
    if sent:
        names = ", ".join(str(one) for one in sent)
        raise BadTarget(
            f"{target}: sends {len(sent)} canvases ({names:.200}); "
            "write a function that returns the one you mean"
        )
    raise BadTarget(f"{target}: returned {_a(type(made).__name__)}, not a canvas, and sent none")


#: What Django raises when its settings or its applications are missing.
_NOT_SET_UP = frozenset({"ImproperlyConfigured", "AppRegistryNotReady"})


def _current_directory_first() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


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
