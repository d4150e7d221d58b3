"""The seam: where Celery would send something, a route decides what happens instead.

``apply_async`` of tasks, chains, groups, chords, maps and chunks, ``send_task``, what
``self.replace`` does last, and ``app.control.revoke`` look for a route for their app first, and
fall back to Celery. Only the outermost call is seen, because nothing of Celery's own sending is
reached. Catching published messages instead would lose the canvas: a chain is already cut up by
then.

Routes are looked up in the calling context first (a task running in an engine's worker), then in
the process (``reroute``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from celery import Celery, canvas
from celery.app.control import Control
from celery.app.task import Task
from celery.exceptions import Ignore
from celery.local import Proxy

if TYPE_CHECKING:
    from collections.abc import Sequence


class Route(Protocol):
    """Where calls go instead of to a broker."""

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """``signature.apply_async(args, kwargs, **options)``; returns the caller's result.

        DECLINED leaves the call to Celery.
        """

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """``app.control.revoke(ids, terminate=terminate)``."""

    def replace(self, task: Any, signature: Any) -> None:
        """``task`` has called ``self.replace(signature)``; the signature is frozen."""


#: What a route returns for a call that is none of its business.
DECLINED = object()

_in_context: ContextVar[tuple[Celery, Route] | None] = ContextVar("offcanvas_route", default=None)
#: Routes of the process, each with its app; without one it is for all apps.
_in_process: list[tuple[Celery | None, Route]] = []
_originals: dict[tuple[type, str], Any] = {}


def route_for(app: Celery) -> Route | None:
    """The route of ``app``, if there is one: the innermost one opened last."""
    if isinstance(app, Proxy):
        # A canvas that was given no app has Celery's current_app, which stands for the real one.
        app = app._get_current_object()  # noqa: SLF001  # the proxy's own way
    current = _in_context.get()
    opened = [*_in_process] if current is None else [*_in_process, current]
    found: list[Route] = [route for routed, route in opened if routed is app or routed is None]
    return found[-1] if found else None


@contextmanager
def context_route(app: Celery, route: Route) -> Iterator[None]:
    """Calls made inside, in this context and thread, go to ``route``."""
    install()
    token = _in_context.set((app, route))
    try:
        yield
    finally:
        _in_context.reset(token)


def open_route(app: Celery | None, route: Route) -> Callable[[], None]:
    """Send calls of the whole process, for ``app`` or for any, to ``route``.

    Returns what takes it back.
    """
    install()
    entry = (app, route)
    _in_process.append(entry)
    return lambda: _in_process.remove(entry)


def install() -> None:
    """Put the seam in, once. Without a route everything is as before."""
    if _originals:
        return
    _patch(Task, "apply_async", _task_apply_async)
    _patch(Task, "on_replace", _on_replace)
    _patch(Task, "replace", _replace)
    _patch(Celery, "send_task", _send_task)
    for cls in (canvas._chain, canvas.group, canvas.chord, canvas._basemap, canvas.chunks):  # noqa: SLF001  # Celery exports only functions of these names
        _patch(cls, "apply_async", _canvas_apply_async)
    _patch(Control, "revoke", _revoke)


def _patch(cls: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    original = getattr(cls, name)
    _originals[cls, name] = original
    setattr(cls, name, wraps(original)(wrapper(original)))


def _task_apply_async(original: Any) -> Any:
    def apply_async(
        self: Any, args: Any = None, kwargs: Any = None, *positional: Any, **options: Any
    ) -> Any:
        route = route_for(self.app)
        if route is None:
            return original(self, args, kwargs, *positional, **options)
        names = ("task_id", "producer", "link", "link_error", "shadow")
        options = {**dict(zip(names, positional, strict=False)), **options}
        taken = route.submit(self.signature(args, kwargs), (), {}, options)
        return original(self, args, kwargs, **options) if taken is DECLINED else taken

    return apply_async


def _canvas_apply_async(original: Any) -> Any:
    def apply_async(self: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        route = route_for(self.app)
        if route is None:
            return original(self, args, kwargs, **options)
        taken = route.submit(self, args or (), kwargs or {}, options)
        return original(self, args, kwargs, **options) if taken is DECLINED else taken

    return apply_async


def _send_task(original: Any) -> Any:
    def send_task(
        self: Any, name: str, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any
    ) -> Any:
        route = route_for(self)
        if route is None:
            return original(self, name, args, kwargs, *rest, **options)
        names = ("countdown", "eta", "task_id", "producer", "connection", "router", "result_cls")
        options = {**dict(zip(names, rest, strict=False)), **options}
        taken = route.submit(self.signature(name, args, kwargs), (), {}, options)
        return original(self, name, args, kwargs, *rest, **options) if taken is DECLINED else taken

    return send_task


def _replace(original: Any) -> Any:
    def replace(self: Any, sig: Any) -> Any:
        if route_for(self.app) is None:
            return original(self, sig)
        # What follows this task follows the replacement because it has its place in the plan;
        # Celery would append the rest of the chain to the replacement.
        request = self.request
        chain, request.chain = request.chain, None
        try:
            return original(self, sig)
        finally:
            request.chain = chain

    return replace


def _on_replace(original: Any) -> Any:
    def on_replace(self: Any, sig: Any) -> Any:
        route = route_for(self.app)
        if route is None or self.request.is_eager:
            return original(self, sig)
        route.replace(self, sig)
        raise Ignore("Replaced by new task")

    return on_replace


def _revoke(original: Any) -> Any:
    # What the results' own revoke(), and terminate(), come to.
    def revoke(
        self: Any, task_id: Any, destination: Any = None, terminate: bool = False, *rest: Any,
        **options: Any,
    ) -> Any:  # fmt: skip
        route = route_for(self.app)
        if route is None:
            return original(self, task_id, destination, terminate, *rest, **options)
        ids = [task_id] if isinstance(task_id, str) else list(task_id)
        return route.revoke(ids, terminate=terminate)

    return revoke
