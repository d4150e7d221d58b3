"""The switch: an app's canvases run elsewhere, and its code does not change.

    with reroute(app, to="memory"):
        result = chord(header, body).delay()      # an AsyncResult, as ever
        result.get()

Inside, ``delay``, ``apply_async``, ``signature()()`` and everything that tasks start go to the
target; callers get Celery's own results, which read the app's result backend. Nothing is published
to the broker and no Celery worker is needed.
"""

from __future__ import annotations

import atexit
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from offcanvas import metrics, tracing
from offcanvas.canvas.calls import Branch, Context
from offcanvas.canvas.lift import lift
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission
from offcanvas.celery_app.seam import DECLINED, open_route
from offcanvas.celery_app.shared_results import require_shared_results
from offcanvas.celery_app.strangers import strangers
from offcanvas.engines.batches import batch_of
from offcanvas.engines.bursts import lone_of
from offcanvas.engines.prepare import caller_level, plan_for, warn_of
from offcanvas.engines.processes.process import importing, runs_tasks
from offcanvas.engines.registry import engine, load, spec_of, specs
from offcanvas.errors import CanvasWarning, EngineError, UnknownEngine, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from celery import Celery

    from offcanvas.canvas.nodes import Node
    from offcanvas.engines.base import Target
    from offcanvas.metrics.watching import Watch


class Rerouting:
    """An open switch; use it as a context manager, or ``close()`` it."""

    def __init__(
        self,
        app: Celery,
        engine_name: str,
        target: Target,
        only: Collection[str],
        strict: bool,
        unknown: bool = False,
        *,
        opened: bool = True,
    ) -> None:
        self.app = app
        self.engine = engine(engine_name)
        self.target = target
        self.only = frozenset(only)
        self.strict = strict
        self.unknown = unknown
        self._opened = opened
        self._undo: Callable[[], None] | None = None
        self._watch: Watch | None = None
        look = getattr(target, "look", None)
        if opened and look is not None:
            self._watch = metrics.watch(engine_name, look)
        if opened or importing:
            self._undo = open_route(app, self)
            atexit.register(self.close)  # processes of a switch that stays open hold up the exit

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Prepare, start, and give the caller Celery's result."""
        node = lift(signature)
        if not self._is_mine(node):
            return DECLINED
        if not self._opened:
            if not importing:
                return DECLINED
            raise EngineError(
                f"importing {importing[0]} sends a task, and each process of the worker imports it "
                f"again: reroute in a function, or under if __name__ == '__main__'"
            )
        submission = Submission(self.app, signature, args, kwargs, options, strict=self.strict)
        planned = plan_for(self.engine, submission, node, allow_unregistered=True)
        warn_of(planned)
        prepared = sent(self.app, freeze(planned))
        if prepared.plan is not None:
            place = Context(options.get("root_id"), options.get("parent_id"))
            with tracing.canvas(prepared.plan, self.engine.name):
                self.target.start(Branch(tracing.carried(prepared.plan), context=place))
            counting = metrics.meter()
            if counting is not None:
                counting.sent(self.engine.name)
        return prepared.result

    def _is_mine(self, node: Node) -> bool:
        known, strange = strangers(self.app, node)
        if self.only:
            return bool(known | strange) and known | strange <= self.only
        if not strange or self.unknown:
            return True
        if known:
            warnings.warn(
                CanvasWarning(
                    f"{', '.join(sorted(strange))}: unknown to this app, in a canvas with tasks "
                    f"that it knows; the worker of {self.engine.name} has to know them all"
                ),
                stacklevel=caller_level(),
            )
        return bool(known)

    def runs(self, name: str) -> bool:
        """Whether no Celery worker runs tasks of this name: see ``seam.Route``."""
        if not self._opened:
            return False
        return name in self.only if self.only else self.unknown or name in self.app.tasks

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """See ``Target.revoke``."""
        self.target.revoke(ids, terminate=terminate)

    def replace(self, task: Any, signature: Any) -> None:
        """Only tasks are replaced, and tasks run in the target's processes."""
        raise RuntimeError(f"{task.name} runs outside the target; self.replace cannot be rerouted")

    def close(self) -> None:
        """Switch back, then wait for what was started."""
        if self._undo is not None:
            atexit.unregister(self.close)
            self._undo()
            self._undo = None
            if self._watch is not None:
                self._watch.stop()
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
    unknown: bool = False,
    private: bool = False,
    client: Any = None,
    fail_workflows: bool | None = None,
    heartbeat_timeout: float | None = None,
    batch: int | Literal["auto"] | None = None,
    lone: Literal["burst", "activity", "auto"] | None = None,
    spread: int | None = None,
) -> Rerouting:
    """Send the app's canvases to another engine, from now until ``close()``.

    What the app sends by a name that it has no task of, as to another service, goes to the broker
    as before, unless ``only`` names it or ``unknown`` is set.

    Args:
        app: the Celery app; its result backend is where results go, and has to be shared between
            processes.
        to: the engine, for example "memory".
        only: names of tasks; canvases in which all tasks are among them are rerouted, others stay
            with Celery. Empty for all.
        strict_celery: do as Celery does where it does otherwise than it documents.
        queues: with Temporal, Celery's queue to the task queue of the worker that serves it; other
            queues are served by the canvas's own task queue.
        unknown: reroute tasks as well that this process does not know but the worker does, as where
            a web process imports no tasks and sends them by name.
        private: with Temporal and Prefect, start a private server and a worker for as long as the
            switch is open. Without it the engine's own configuration says where the server is.
        client: with Temporal, a ``temporalio.client.Client`` of your own, with its data converter
            and interceptors, or a coroutine function that connects one.
        fail_workflows: with Temporal, False for workflows and activities that are completed also
            where a task has failed, with the failure in their results.
        heartbeat_timeout: with Temporal, seconds without a heartbeat after which a worker counts as
            lost, 20 unless given. Tasks send one in each quarter of it.
        batch: with Temporal and Prefect, members of a group that run together, one after the other
            in one process: "auto" for as many as take half a second, or a number. None for one by
            one.
        lone: with Temporal and Prefect, "burst" for tasks sent alone that go to the server
            together: those that are sent while a request is on its way share the next one.
            ``delay()`` then returns before the server has the task. "auto" for that, with
            batch="auto" for them unless it is given: the cheapest. With Temporal, "activity" for an
            activity without a workflow each.
        spread: with Prefect, how many tasks of a wide group one flow run walks, so that all workers
            of the pool share one canvas. None for one flow run a canvas.

    Raises:
        UnknownEngine: nothing can be rerouted to an engine of this name.
        MissingExtra: the engine's library is not installed.
        UsageError: an argument for an engine that has no such thing; a name in ``only`` that is no
            task of the app; nothing says where the server is.
        EngineUnavailable: the app has no result backend that processes share, or no server answers.
    """
    there_are = [name for name, one in specs().items() if one.target]
    if to not in there_are:
        raise UnknownEngine(f"cannot reroute to {to!r}; there are: {', '.join(sorted(there_are))}")
    spec = spec_of(to)
    given = {
        "queues": queues or None,
        "private": private or None,
        "client": client,
        "fail_workflows": fail_workflows,
        "heartbeat_timeout": heartbeat_timeout,
        "batch": batch_of(batch),
        "spread": spread,
        "lone": lone_of(lone),
    }
    given = {name: one for name, one in given.items() if one is not None}
    for name in sorted(given.keys() - spec.target_options):
        takes = ", ".join(one.name for one in specs().values() if name in one.target_options)
        raise UsageError(f"{name}= is for {takes}, and not for {to}")
    names = _names_of_tasks(app, only, unknown)
    if private and _django_is_starting():
        raise UsageError(
            "private=True does not go together with AppConfig.ready(): its worker imports the "
            "project, which is only being set up; start a worker of its own and name its server"
        )
    if runs_tasks():
        # A project that switches while it is imported, or in AppConfig.ready(), is imported here as
        # well. What tasks send goes with their canvas, and another pool would have others inside.
        return Rerouting(app, to, _Nowhere(), names, strict_celery, unknown, opened=False)
    require_shared_results(app)
    target = load(spec, spec.target)(app, strict=strict_celery, **given)
    return Rerouting(app, to, target, names, strict_celery, unknown)


class _Nowhere:
    """The target of a switch that is not open."""

    def start(self, branch: Branch) -> None:
        """Nothing arrives here."""

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Likewise."""

    def close(self) -> None:
        """There is nothing to wait for."""


def _names_of_tasks(app: Celery, only: Collection[str], unknown: bool) -> Collection[str]:
    """``only``, which has to be names of the app's tasks, unless ``unknown`` says otherwise.

    While Django sets up its applications nobody knows yet which tasks there are.

    Raises:
        UsageError: it is something else, or has a name that no task has.
    """
    if isinstance(only, str):
        raise UsageError(f"only= takes a list or set of names of tasks: only={{{only!r}}}")
    names = [getattr(one, "name", one) for one in only]  # tasks have their names with them
    if unknown or _django_is_starting():
        return names
    if not set(names) <= app.tasks.keys():
        app.loader.import_default_modules()
    for name in names:
        if name not in app.tasks:
            near = get_close_matches(str(name), app.tasks, 1)
            hint = f"did you mean {near[0]!r}?" if near else "import the module that defines it"
            raise UsageError(f"only=: the app {app.main} has no task {name!r}; {hint}")
    return names


def _django_is_starting() -> bool:
    """Whether this is called by an ``AppConfig.ready()``, or before."""
    apps = getattr(sys.modules.get("django.apps"), "apps", None)
    return apps is not None and apps.loading and not apps.ready
