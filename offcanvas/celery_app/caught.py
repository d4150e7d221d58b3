"""Real code rarely returns its canvases: it sends them. Here they are caught on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NoReturn

from offcanvas.celery_app.freezing import prepare
from offcanvas.celery_app.memory_backend import memory_backend
from offcanvas.celery_app.seam import open_route


class _EnoughError(BaseException):
    """The function waits for a result, which nothing will bring: it is called no further."""


class _Catcher:
    """A route that keeps what is sent and gives the sender results that never arrive."""

    def __init__(self, stack: ExitStack) -> None:
        self.caught: list[Any] = []
        self._stack = stack
        self._apps: list[Any] = []

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        sent: Any = signature
        given = dict(kwargs)
        body = given.pop("body", None) if sent.subtask_type == "chord" else None  # of a call
        sent = _called(sent, args, given).clone(**options)
        if body is not None:
            sent.kwargs["body"] = body
        self.caught.append(sent)
        if sent.app not in self._apps:
            self._apps.append(sent.app)
            backend = self._stack.enter_context(memory_backend(sent.app))
            for name in ("wait_for_pending", "iter_native"):
                setattr(backend, name, _enough)
        return prepare(sent.app, sent, allow_unregistered=True).result

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Nothing has begun."""

    def replace(self, task: Any, signature: Any) -> None:
        """Only tasks replace themselves, and none runs."""


def caught(function: Callable[[], Any]) -> tuple[Any, list[Any]]:
    """What ``function`` returns, and the canvases that it sent to any app; none of them is sent.

    A function that waits for a result is called to there, and returns None.
    """
    with ExitStack() as stack:
        catcher = _Catcher(stack)
        stack.callback(open_route(None, catcher))
        try:
            return function(), catcher.caught
        except _EnoughError:
            return None, catcher.caught


def _called(signature: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The signature with these arguments where its first tasks get them."""
    if signature.subtask_type not in {"chain", "group"}:
        return signature.clone(args, kwargs)
    called = signature.clone()
    if not signature.immutable and (args or kwargs):
        tasks = list(called.tasks)
        first = 1 if signature.subtask_type == "chain" else len(tasks)
        called.kwargs["tasks"] = [
            *(_called(task, args, kwargs) for task in tasks[:first]),
            *tasks[first:],
        ]
    return called


def _enough(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise _EnoughError
