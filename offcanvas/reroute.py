"""The switch: an app's canvases run elsewhere, and its code does not change.

    with reroute(app, to="memory"):
        result = chord(header, body).delay()      # an AsyncResult, as ever
        result.get()

Inside, ``delay``, ``apply_async``, ``signature()()`` and everything that tasks start go to the
target; callers get Celery's own results, which read the app's result backend. Nothing is published
to the broker and no Celery worker is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Task, walk
from offcanvas.engines.base import Submission, engine
from offcanvas.engines.prepare import prepare_submission
from offcanvas.engines.seam import DECLINED, open_route
from offcanvas.engines.walker import Branch, Context
from offcanvas.errors import EngineUnavailable, UnknownEngine, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from celery import Celery

#: Targets by the name of their engine: called with the app and ``strict``.
TARGETS = {
    "memory": "offcanvas.engines.pool:PoolTarget",
    "temporal": "offcanvas.engines.temporal.target:TemporalTarget",
    "prefect": "offcanvas.engines.prefect.target:PrefectTarget",
}


class Target(Protocol):
    """Where rerouted canvases go."""

    def start(self, branch: Branch) -> None:
        """Begin to walk; returns at once."""

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tasks with these ids must not run; ``terminate`` also ends those that have begun."""

    def close(self) -> None:
        """Wait for what was started, and let go."""


class Rerouting:
    """An open switch; use it as a context manager, or ``close()`` it."""

    def __init__(
        self, app: Celery, engine_name: str, target: Target, only: Collection[str], strict: bool
    ) -> None:
        self.app = app
        self.engine = engine(engine_name)
        self.target = target
        self.only = frozenset(only)
        self.strict = strict
        self._undo: Callable[[], None] | None = open_route(app, self)

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Prepare, start, and give the caller Celery's result."""
        if self.only and not self._is_mine(signature):
            return DECLINED
        submission = Submission(self.app, signature, args, kwargs, options, strict=self.strict)
        prepared = prepare_submission(submission, self.engine, strangers=True)
        if prepared.plan is not None:
            place = Context(options.get("root_id"), options.get("parent_id"))
            self.target.start(Branch(prepared.plan, context=place))
        return prepared.result

    def _is_mine(self, signature: Mapping[str, Any]) -> bool:
        names = {place.node.name for place in walk(lift(signature)) if isinstance(place.node, Task)}
        return bool(names) and names <= self.only

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """See ``Target.revoke``."""
        self.target.revoke(ids, terminate=terminate)

    def replace(self, task: Any, signature: Any) -> None:
        """Only tasks are replaced, and tasks run in the target's processes."""
        raise RuntimeError(f"{task.name} runs outside the target; self.replace cannot be rerouted")

    def close(self) -> None:
        """Switch back, then wait for what was started."""
        if self._undo is not None:
            self._undo()
            self._undo = None
            self.target.close()

    def __enter__(self) -> Rerouting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def reroute(
    app: Celery,
    *,
    to: str,
    only: Collection[str] = (),
    strict_celery: bool = False,
    queues: Mapping[str, str] | None = None,
) -> Rerouting:
    """Send the app's canvases to another engine, from now until ``close()``.

    Args:
        app: the Celery app; its result backend is where results go, and has to be shared between
            processes.
        to: the engine, for example "memory".
        only: names of tasks; canvases in which all tasks are among them are rerouted, others stay
            with Celery. Empty for all.
        strict_celery: do as Celery does where it does otherwise than it documents.
        queues: with Temporal, Celery's queue to the task queue of the worker that serves it; other
            queues are served by the canvas's own task queue.

    Raises:
        UnknownEngine: nothing can be rerouted to an engine of this name.
        MissingExtra: the engine's library is not installed.
        UsageError: ``queues`` for an engine that has none.
        EngineUnavailable: the app has no result backend that processes share.
    """
    if to not in TARGETS:
        there_are = ", ".join(sorted(TARGETS))
        raise UnknownEngine(f"cannot reroute to {to!r}; there are: {there_are}")
    kept = str(app.conf.result_backend or "disabled")
    if kept.startswith(("disabled", "cache+memory", "rpc", "amqp")):
        raise EngineUnavailable(
            f"the app {app.main or 'without a name'} has the result backend {kept!r}; set "
            f"result_backend to one that processes share: redis, a database, or file:///path"
        )
    module, _, name = TARGETS[to].partition(":")
    if queues and to != "temporal":
        raise UsageError(f"queues= is for temporal; {to} has no queues to send tasks to")
    engine(to)  # says which extra is missing
    given = {"queues": queues} if queues else {}
    target = getattr(import_module(module), name)(app, strict=strict_celery, **given)
    return Rerouting(app, to, target, only, strict_celery)
