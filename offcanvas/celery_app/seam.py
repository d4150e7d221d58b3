"""The seam: where Celery would send something, a route decides what happens instead.

``apply_async`` of tasks, chains, groups, chords, maps and chunks, ``send_task``, what
``self.replace`` does last, and ``app.control.revoke`` look for a route for their app first, and
fall back to Celery; so does beat before it connects to the broker, and ``app.control.rate_limit``
and ``time_limit`` before they tell Celery's workers. Only the outermost call is
seen, because nothing of Celery's own sending is reached. Catching published messages instead would
lose the canvas: a chain is already cut up by then.

Routes are looked up in the calling context first (a task running in an engine's worker), then in
the process (``reroute``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Protocol

from celery import Celery, beat, canvas
from celery._state import get_current_worker_task
from celery.app.control import Control
from celery.app.task import Task
from celery.exceptions import Ignore
from celery.local import Proxy

from offcanvas.canvas.stamps import ids_of
from offcanvas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Route(Protocol):
    """Where calls go instead of to a broker.

    A route with a true ``roots_only`` is not asked inside of tasks that a Celery worker runs: what
    they send follows them. One with a method ``leaves(name)`` is asked by it first whether calls of
    a task are left to Celery, which costs less than to make a signature that it then declines. One
    with a method ``runs(name)`` says by it which tasks no Celery worker runs.
    """

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
        """``app.control.revoke(ids, terminate=terminate)``.

        A revoke by stamped headers is one of ``stamps.ids_of`` them.
        """

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
    if not found or not (getattr(found[-1], "roots_only", False) and get_current_worker_task()):
        return found[-1] if found else None
    return None


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
    _patch(Control, "revoke_by_stamped_headers", _revoke_by_stamped_headers)
    for command in ("rate_limit", "time_limit"):
        _patch(Control, command, partial(_changes_limits, command))
    beat.Scheduler.producer = _BeatProducer(beat.Scheduler.producer)  # type: ignore[assignment]  # a property as before


def unrouted(cls: type, name: str) -> Any:
    """Celery's own method, which a route may call to leave something to Celery."""
    install()
    return _originals[cls, name]


def has_own_sending(task: Any) -> bool:
    """Whether the task's class, or its app, overrides how Celery sends a task."""
    sending = getattr(task.apply_async, "__func__", task.apply_async)
    return sending is not Task.apply_async or _app_sends(task.app)


def _app_sends(app: Any) -> bool:
    sending = getattr(app.send_task, "__func__", app.send_task)
    return sending is not Celery.send_task


def _leaves(route: Any, name: str) -> bool:
    leaves = getattr(route, "leaves", None)
    return leaves is not None and bool(leaves(name))


def _patch(cls: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    original = getattr(cls, name)
    _originals[cls, name] = original
    setattr(cls, name, wraps(original)(wrapper(original)))


class _BeatProducer:
    """What beat publishes with: while there is a route for its app, nothing.

    Celery connects to the broker before it sends an entry, and tries until it can; a broker may be
    what an app has done with. What a route leaves to Celery is published as any other task.
    """

    def __init__(self, original: Any) -> None:
        self._original = original

    def __get__(self, scheduler: Any, owner: type | None = None) -> Any:
        if scheduler is None:
            return self
        if route_for(scheduler.app) is not None:
            return None
        return self._original.__get__(scheduler, owner)


def _task_apply_async(original: Any) -> Any:
    def apply_async(
        self: Any, args: Any = None, kwargs: Any = None, *positional: Any, **options: Any
    ) -> Any:
        route = route_for(self.app)
        if route is None or _leaves(route, self.name):
            return original(self, args, kwargs, *positional, **options)
        names = ("task_id", "producer", "link", "link_error", "shadow")
        options = {**dict(zip(names, positional, strict=False)), **options}
        sent = options
        if self.ignore_result:
            sent = {"ignore_result": True, **options}
        if _app_sends(self.app):
            # Celery's own apply_async ends there, and so the app's is asked.
            if self.typing and hasattr(self, "__header__"):
                self.__header__(*(args or ()), **(kwargs or {}))
            return self.app.send_task(self.name, args, kwargs, task_type=self, **sent)
        taken = route.submit(self.signature(args, kwargs), (), {}, sent)
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
        if route is None or _leaves(route, name):
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
        request.chain_kept = chain
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
        route.revoke(ids, terminate=terminate)
        told = (
            f"terminate: {', '.join(ids)}" if terminate else f"tasks {set(ids)} flagged as revoked"
        )
        return _answer(options, told)

    return revoke


def _revoke_by_stamped_headers(original: Any) -> Any:
    def revoke_by_stamped_headers(
        self: Any, headers: Any, destination: Any = None, terminate: bool = False, *rest: Any,
        **options: Any,
    ) -> Any:  # fmt: skip
        route = route_for(self.app)
        if route is None:
            return original(self, headers, destination, terminate, *rest, **options)
        route.revoke(ids_of(headers), terminate=terminate)
        also = "" if terminate else ", but not terminated"
        return _answer(options, f"headers {headers} flagged as revoked{also}")

    return revoke_by_stamped_headers


def _changes_limits(command: str, original: Any) -> Any:
    # A broadcast to Celery's workers: others would never hear of it.
    def change(self: Any, task_name: str, *limits: Any, **options: Any) -> Any:
        route = route_for(self.app)
        runs = getattr(route, "runs", None)
        if runs is None or not runs(task_name):
            return original(self, task_name, *limits, **options)
        raise UsageError(
            f"app.control.{command}({task_name!r}) reaches no worker but Celery's: set {command} "
            "of the task, for example in task_annotations, and start the workers again"
        )

    return change


def _answer(options: Mapping[str, Any], said: str) -> Any:
    """What Celery's workers answer who asks for it with ``reply=True``; here one that is all."""
    return [{"offcanvas": {"ok": said}}] if options.get("reply") else None
