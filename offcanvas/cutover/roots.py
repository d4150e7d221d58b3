"""Which root a call is: the task's own name, or that of the function that has made the canvas.

A signature does not know who has made it. So the functions that rules name are wrapped: what they
return carries their name and their arguments, and what they send themselves does too. A function is
replaced in its module and in the modules that have imported it; one that is kept elsewhere, in a
class or a closure, is marked with ``@root``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import wraps
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from celery import Task
from celery.canvas import Signature

from offcanvas.errors import UsageError, line_of

if TYPE_CHECKING:
    from celery import Celery

P = ParamSpec("P")
R = TypeVar("R")
_MARK = "offcanvas_root"
_WRAPPED = "__offcanvas_root__"
_inside: ContextVar[tuple[str, Mapping[str, Any]] | None] = ContextVar("root", default=None)


def root(function: Callable[P, R], name: str | None = None) -> Callable[P, R]:
    """Mark a function that makes a canvas: its rule is called ``module:function``."""
    if hasattr(function, _WRAPPED):
        return function
    own = name or f"{function.__module__}:{function.__qualname__}"
    shape = inspect.signature(function)

    @wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = shape.bind_partial(*args, **kwargs)
        bound.apply_defaults()
        mark = (own, dict(bound.arguments))
        token = _inside.set(mark)
        try:
            canvas = function(*args, **kwargs)
        finally:
            _inside.reset(token)
        if isinstance(canvas, Signature):
            setattr(canvas, _MARK, mark)
            if canvas.get("subtask_type") is None:
                _send_as(canvas, mark)
        return canvas

    setattr(made, _WRAPPED, own)
    return made


def _send_as(signature: Any, mark: tuple[str, Mapping[str, Any]]) -> None:
    """Of one task Celery sends name and arguments, and not the signature that carries the mark."""
    send = signature.apply_async

    def apply_async(*args: Any, **kwargs: Any) -> Any:
        token = _inside.set(mark)
        try:
            return send(*args, **kwargs)
        finally:
            _inside.reset(token)

    signature.apply_async = apply_async


def root_of(signature: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Name and arguments of the root that is sent; None for those of a task, see ``arguments``."""
    mark = getattr(signature, _MARK, None) or _inside.get()
    return mark if mark is not None else (signature["task"], None)


def is_inside() -> bool:
    """Whether a function that is a root is being called."""
    return _inside.get() is not None


def arguments(app: Celery, signature: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a task by name; those given by name only, if the task is not known here."""
    task = app.tasks.get(signature["task"])
    args, kwargs = tuple(signature.get("args") or ()), dict(signature.get("kwargs") or {})
    if task is None:
        return kwargs
    try:
        bound = inspect.signature(task.run).bind_partial(*args, **kwargs)
    except TypeError:  # Celery says so itself, in its own words
        return kwargs
    bound.apply_defaults()
    return dict(bound.arguments)


def find(app: Celery, name: str, where: str) -> Callable[..., Any]:
    """What a rule's name stands for: the function of a task, or one that makes a canvas.

    Raises:
        UsageError: there is nothing of that name, or it is neither.
    """
    module_name, colon, path = name.partition(":")
    if not colon:
        task = app.tasks.get(name)
        if task is None:
            raise UsageError(
                f"{where}: unknown root: the app {app.main} has no task {name!r}; a function that "
                "makes a canvas is written package.module:name"
            )
        run: Callable[..., Any] = task.run
        return run
    try:
        found: Any = import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{where}: unknown root: {line_of(error)}") from None
    if isinstance(found, Task):
        raise UsageError(f"{where}: is a task: write its name, {found.name!r}")
    if not inspect.isfunction(found):
        raise UsageError(f"{where}: unknown root: {name} is not a function that makes a canvas")
    return found


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names by which a rule can ask for arguments."""
    return list(inspect.signature(function).parameters)


class _WhenImported(MetaPathFinder):
    """Wraps functions of modules that are imported later, as soon as those are there."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec that others find, with a loader that wraps afterwards."""
        if name not in self.wanted:
            return None
        self.wanted.discard(name)
        spec = find_spec(name)
        loader: Any = getattr(spec, "loader", None)
        if spec is None or not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            wrap_all(one for one in _named if one.startswith(f"{name}:"))

        loader.exec_module = exec_module
        return spec


class _Watched(ModuleType):
    """A module that has called ``cut_over`` before it has its functions: wrapped when asked for."""

    def __getattribute__(self, attribute: str) -> Any:
        """The attribute; of a function that a rule names, the wrapped one."""
        value = super().__getattribute__(attribute)
        if inspect.isfunction(value) and not hasattr(value, _WRAPPED):
            name = super().__getattribute__("__dict__")[_WANTED].get(attribute)
            if name is not None:
                value = root(value, name)
                setattr(self, attribute, value)
        return value


_WANTED = "__offcanvas_wanted__"


def _watch(module: ModuleType, path: str, name: str) -> None:
    vars(module).setdefault(_WANTED, {})[path] = name
    module.__class__ = _Watched


_later = _WhenImported()
_named: set[str] = set()


def wrap_all(names: Iterable[str]) -> None:
    """Wrap the functions with these names, in every module that has them, now or later."""
    names = list(names)
    _named.update(names)
    _later.wanted |= {
        module
        for module, colon, _ in (name.partition(":") for name in names)
        if colon and module not in sys.modules
    }
    if _later.wanted and _later not in sys.meta_path:
        sys.meta_path.insert(0, _later)
    for name in names:
        module_name, colon, path = name.partition(":")
        module = sys.modules.get(module_name)
        if not colon or module is None or "." in path:
            continue
        function = vars(module).get(path)
        if function is None and getattr(module.__spec__, "_initializing", False):
            _watch(module, path, name)
            continue
        if not inspect.isfunction(function) or hasattr(function, _WRAPPED):
            continue
        made = root(function, name)
        for one in list(sys.modules.values()):
            for attribute, value in list(getattr(one, "__dict__", {}).items()):
                if value is function:
                    setattr(one, attribute, made)
