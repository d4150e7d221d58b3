"""The candidate is the app itself, run by the kit: its canvases, every task answered.

The functions that make canvases are called with what they were called with, and what they return is
walked as on each of the kit's engines, in this process.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery
from celery.canvas import Signature

from offcanvas.canvas.lift import lift
from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.memory_backend import memory_backend
from offcanvas.celery_app.planning import Submission
from offcanvas.celery_app.seam import context_route, open_route
from offcanvas.cutover import roots
from offcanvas.cutover.ways.plain import plain
from offcanvas.engines.memory.engine import MemoryEngine
from offcanvas.engines.outcome import outcome_of
from offcanvas.errors import UsageError
from offcanvas.shadow.answers import Answers, steps_in
from offcanvas.shadow.bodies import Bodies
from offcanvas.shadow.branches import Branches
from offcanvas.shadow.fences import Ran
from offcanvas.shadow.masks import Masks, is_masked
from offcanvas.shadow.raised import error_of
from offcanvas.shadow.recording import Recorded
from offcanvas.shadow.replay import Replayed

_ONE_LOOK = 0.001


class Kit:
    """The tasks of an app, answered; one root after the other."""

    def __init__(self, app: Celery, masks: Masks, pure: Collection[str], bodies: Bodies) -> None:
        self.app, self.masks, self.pure, self.bodies = app, masks, pure, bodies
        self.names = {name.rpartition(".")[2]: name for name in app.tasks}
        self.answers: Answers | None = None
        self._own: dict[str, Callable[..., Any]] = {}

    @contextmanager
    def answered(self) -> Iterator[None]:
        """As long as this lasts, no task of the app executes its body, but for pure ones."""
        kept = {}
        task: Any
        for name, task in self.app.tasks.items():
            if name.startswith("celery."):
                continue
            kept[name] = dict(vars(task))
            self._own[name] = task.run
            task.run = self._answer(task, task.run)
            task.max_retries = None  # how often is what the record says
            vars(task).pop("__offcanvas_trace__", None)
        try:
            yield
        finally:
            for name, before in kept.items():
                vars(self.app.tasks[name]).clear()
                vars(self.app.tasks[name]).update(before)

    def _answer(self, task: Any, own: Callable[..., Any]) -> Callable[..., Any]:
        shape, step = inspect.signature(own), task.name.rpartition(".")[2]

        def run(*args: Any, **kwargs: Any) -> Any:
            mine = self.answers
            if mine is None or mine.is_pure(step):
                if mine is not None:
                    mine.called[step] += 1
                return own(*args, **kwargs)
            given: Mapping[str, Any] = {}
            if not mine.is_handler(step):
                bound = shape.bind(*args, **kwargs)
                bound.apply_defaults()
                given = plain(bound.arguments)
            call, attempt = task.request.id or step, (task.request.retries or 0) + 1
            told = mine.answer(step, given, call, attempt)
            mine.tried(call, attempt)
            if told.state == "RETRY":
                raise task.retry(exc=error_of(told), countdown=0)
            mine.ended(step)
            if given:
                self.bodies.compare(step, given, Ran(told.value, told.error), None)
            if told.state == "FAILURE":
                raise error_of(told)
            return told.value

        return run

    def replay(self, recorded: Recorded) -> Replayed:
        """One root.

        Raises:
            UsageError: its function is not there any more, or makes no canvas.
        """
        mine = self.answers = Answers(recorded.of_canvas(), self.masks, self.names, self.pure)
        try:
            with memory_backend(self.app):
                value, error = self._walked(recorded)
        finally:
            self.answers = None
        return Replayed(
            recorded.root, recorded.name, tuple(mine.close(value, error)), frozenset(mine.called)
        )

    def _walked(self, recorded: Recorded) -> tuple[Any, tuple[str, str] | None]:
        engine = MemoryEngine()
        submission = self._canvas(recorded)
        with context_route(
            self.app, _Caught(self.app)
        ):  # what is sent besides is a root of its own
            prepared = sent(self.app, freeze(engine.plan(submission)), asked=False)
        engine.walk(self.app, prepared)
        outcome = outcome_of(prepared.result, timeout=_ONE_LOOK, interval=_ONE_LOOK)
        if outcome.state == "PENDING":
            return None, ("NeverFinishes", "the canvas has no end")
        if outcome.error is not None:
            return None, _told(outcome.error, recorded)
        return outcome.value, None

    def _canvas(self, recorded: Recorded) -> Submission:
        function = roots.find(self.app, recorded.name, "the recording")
        if ":" not in recorded.name:
            task = self.app.tasks[recorded.name]
            return Submission(self.app, task.signature((), dict(recorded.given)))
        caught = _Caught(self.app)
        undo = open_route(self.app, caught)
        try:
            made = function(**recorded.given)
        finally:
            undo()
        if isinstance(made, Signature):
            return Submission(self.app, made)
        if len(caught.sent) != 1:
            raise UsageError(
                f"{recorded.name}: makes no canvas, and sends {len(caught.sent)}: the kit is tried "
                "on functions that return or send one"
            )
        return caught.sent[0]


class _Caught:
    """What a function sends itself."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.sent: list[Submission] = []

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Keep it."""
        self.sent.append(Submission(self.app, signature, args, kwargs, options))
        return self.app.AsyncResult(f"shadow-{len(self.sent)}")

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Nothing runs."""

    def replace(self, task: Any, signature: Any) -> None:
        """No task runs."""
        raise RuntimeError(f"{task.name} replaces itself by {signature!r} outside of a worker")


def _told(error: BaseException, recorded: Recorded) -> tuple[str, str]:
    kind, text = type(error).__name__, str(error)
    kinds = [one.error[0] for one in recorded.failures if one.error]
    # A chord's body fails with a ChordError that quotes its member's error.
    quoted = next((one for one in kinds if kind == "ChordError" and one in text), kind)
    return quoted, text


def replay_kit(
    app: Celery,
    recordings: Sequence[Recorded],
    masks: Masks,
    pure: Collection[str],
    bodies: Bodies,
    tell: Callable[[Replayed], None] = lambda _one: None,
) -> tuple[list[Replayed], Branches]:
    """Run the app's own canvases for each recorded root, and say which branches were taken.

    Raises:
        UsageError: a root is one that the kit cannot be tried on.
    """
    for one in recordings:
        if any(map(is_masked, one.given.values())):
            raise UsageError(
                f"{one.name}: its arguments are masked, and its canvas is made of them: the kit "
                "cannot be tried on it"
            )
    functions = [
        roots.find(app, name, "the recording")
        for name in sorted({one.name for one in recordings})
        if ":" in name
    ]
    own = [inspect.unwrap(one) for one in functions]
    files = sorted({Path(inspect.getfile(one)) for one in own})
    branches = Branches(files, [one.__name__ for one in own])
    kit, done = Kit(app, masks, pure, bodies), []
    with kit.answered(), branches.watched():
        for recorded in recordings:
            found = kit.replay(recorded)
            done.append(found)
            tell(found)
    return done, branches


def steps_of(recordings: Sequence[Recorded]) -> list[str]:
    """The tasks of the recorded canvases, by short name."""
    return sorted(set().union(*(steps_in(lift(one.canvas)) for one in recordings)))
