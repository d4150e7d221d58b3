"""Targets of the command line: ``package.module:name`` to what stands there."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offcanvas.errors import BadTarget, OffcanvasError, line_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from offcanvas.celery_app.planning import Submission


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
    except (Exception, SystemExit) as error:  # whatever the user's module raises is the answer
        hint = ""
        if type(error).__name__ in _NOT_SET_UP and type(error).__module__.startswith("django."):
            hint = "; name the app, which sets Django up: -A, as for celery"
        raise BadTarget(
            f"{target}: importing {module_name} failed with {line_of(error)}{hint}"
        ) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise BadTarget(f"{target}: {module_name} has no {path}") from None
    return found


def use_app(name: str | None) -> Any:
    """Make ``name`` the app, as ``celery -A name`` does; its tasks are imported, Django is set up.

    Returns the app, or None without a name.

    Without a name the app is what the target's module makes it, and Django is set up if
    DJANGO_SETTINGS_MODULE names its settings.

    Raises:
        BadTarget: there is no app of this name, or it cannot be set up.
    """
    _current_directory_first()
    try:
        if name is not None:
            app = _app_called(name)
            app.set_default()
            app.set_current()
            app.loader.import_default_modules()
            return app
        if os.environ.get("DJANGO_SETTINGS_MODULE"):
            importlib.import_module("django").setup()
    except BadTarget:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's modules raise is the answer
        what = "setting up Django" if name is None else f"-A {name}: finding the app and its tasks"
        raise BadTarget(f"{what} failed with {line_of(error)}") from error
    return None


def _app_called(name: str) -> Any:
    from celery.app.utils import find_app

    from offcanvas.celery_app.importable import require_app

    return require_app(find_app(name), f"-A {name}")


def parameters_of(found: object) -> frozenset[str]:
    """Names of the parameters of a function that makes a canvas; none of a canvas or a task."""
    if _is_signature(found) or not callable(found) or hasattr(found, "apply_async"):
        return frozenset()
    try:
        return frozenset(inspect.signature(found).parameters)
    except (TypeError, ValueError):  # of a builtin
        return frozenset()


def canvas(
    target: str,
    arguments: Sequence[str] = (),
    *,
    app: str | None = None,
    sized: Mapping[str, int] | None = None,
) -> Any:
    """The Celery signature at ``target``, calling what stands there with ``arguments`` if need be.

    A Celery task is taken as its signature with the arguments; any other callable is called with
    them and must return a signature, or send one: it is caught (``celery_app.caught``). Each
    argument is a Python literal, or text as it is; a leading ``name=`` makes it a keyword argument.
    ``app`` is for ``use_app``. ``sized`` are parameters that get a number instead of what they are
    given, or a list of so many items.

    Raises:
        BadTarget: no canvas and nothing that makes one, or arguments that do not fit.
    """
    use_app(app)
    found = load(target)
    args, kwargs = _parse(arguments)
    if sized:
        args, kwargs = _resized(target, found, args, kwargs, sized)
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
        from offcanvas.celery_app.caught import caught

        made, sent = caught(lambda: found(*args, **kwargs))
    except OffcanvasError:
        raise
    except (Exception, SystemExit) as error:  # a wrong --arg looks like a failing function
        raise BadTarget(
            f"{target}: calling it failed with {line_of(error)}; check --arg"
        ) from error
    if _is_signature(made):
        return made
    if inspect.iscoroutine(made):
        made.close()
        raise BadTarget(f"{target}: is a coroutine function; write a plain one that returns it")
    if len(sent) == 1:
        return sent[0]
    if sent:
        names = ", ".join(str(one) for one in sent)
        raise BadTarget(
            f"{target}: sends {len(sent)} canvases ({names:.200}); "
            "write a function that returns the one you mean"
        )
    raise BadTarget(f"{target}: returned {_a(type(made).__name__)}, not a canvas, and sent none")


def submission(
    target: str,
    arguments: Sequence[str] = (),
    *,
    app: str | None,
    strict: bool,
    timeout: float | None,
) -> Submission:
    """The canvas at ``target``, to be run as it is.

    Raises:
        BadTarget: there is none.
    """
    from offcanvas._run import app_of
    from offcanvas.celery_app.planning import Submission

    signature = canvas(target, arguments, app=app)
    return Submission(app_of(signature), signature, strict=strict, timeout=timeout)


def _resized(
    target: str, found: Any, args: list[Any], kwargs: dict[str, Any], sized: Mapping[str, int]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments with lists of other lengths, or other numbers."""
    try:
        bound = inspect.signature(found).bind_partial(*args, **kwargs)
    except TypeError as error:
        raise BadTarget(f"{target}: {error}; check --arg") from error
    for name, size in sized.items():
        given = bound.arguments.get(name, size)
        if isinstance(given, list | tuple):
            if not given:
                raise BadTarget(f"{target}: --size {name}: give it an item to repeat with --arg")
            bound.arguments[name] = type(given)(islice(cycle(given), size))
        elif isinstance(given, int) and not isinstance(given, bool):
            bound.arguments[name] = size
        else:
            raise BadTarget(
                f"{target}: --size {name}: {name} is {_a(type(given).__name__)}, not a list or a "
                "number"
            )
    return [*bound.args], dict(bound.kwargs)


#: What Django raises when its settings or its applications are missing.
_NOT_SET_UP = frozenset({"ImproperlyConfigured", "AppRegistryNotReady"})


def _current_directory_first() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _is_signature(found: object) -> bool:
    return isinstance(found, dict) and {"task", "args", "kwargs", "options"} <= found.keys()


def _a(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _parse(arguments: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.isidentifier():
            args.append(_literal(argument, argument))
        elif name in kwargs:
            raise BadTarget(f"--arg {argument}: {name} is given twice")
        else:
            kwargs[name] = _literal(text, argument)
    return args, kwargs


#: How JSON, YAML and shells spell what Python spells otherwise.
_OTHER_SPELLINGS = {"true": "True", "false": "False", "null": "None", "none": "None"}


def _literal(text: str, argument: str) -> Any:
    """The value of a Python literal, else the text; what was meant for a literal is refused.

    Raises:
        BadTarget: another language's word for a literal, or something in brackets or quotes that
            Python cannot read.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    meant = _OTHER_SPELLINGS.get(text.strip().lower())
    if meant is not None:
        raise BadTarget(
            f"--arg {argument}: Python writes {meant}; for the text write '\"{text.strip()}\"'"
        )
    if text.lstrip()[:1] in tuple("[{('\""):
        raise BadTarget(
            f"--arg {argument}: begins like a Python literal and is none; "
            "put quotes around text inside brackets"
        )
    return text
