"""What engines with a server and a worker do in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from offcanvas.celery_app.private_results import private_results
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prepare import sent_plan, vetted_plan, warn_of

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node
    from offcanvas.celery_app.planning import Planned, Submission
    from offcanvas.engines.base import Outcome
    from offcanvas.engines.support import Table

#: Results are all there when the canvas has ended, so that one look is enough; in seconds.
_ONE_LOOK = 0.2
#: Results whose canvas is remembered for ``revoke``; a server is asked for older ones.
_REMEMBERED = 10_000

Run = TypeVar("Run")


class Caller(Protocol):
    """Starts canvases on a server, and waits for them."""

    def walk(
        self, app: Celery, plan: Node, *, strict: bool = False, timeout: float | None = None
    ) -> bool:
        """Walk a frozen plan and everything it starts; False when ``timeout`` came first."""


class RemoteEngine(ABC):
    """Runs a canvas on a server, with a private worker for the time of the run.

    Results are kept in a folder: nothing of the user's broker or result backend is touched.
    """

    name: str
    support: Table

    @abstractmethod
    def private_worker(self, app: Celery) -> AbstractContextManager[Caller]:
        """A worker for ``app``, and a server unless the user's environment names one."""

    def plan(self, submission: Submission) -> Planned:
        """See ``Engine.plan``."""
        return vetted_plan(self, submission)

    def run(self, planned: Planned) -> Outcome:
        """Run to the end; see ``Engine.run``."""
        with self.session(planned.submission.app) as run:
            return run(planned)

    @contextmanager
    def session(self, app: Celery) -> Iterator[Callable[[Planned], Outcome]]:
        """See ``Engine.session``."""
        with private_results(app), self.private_worker(app) as caller:
            yield lambda planned: self._run(planned, caller)

    def _run(self, planned: Planned, caller: Caller) -> Outcome:
        warn_of(planned)
        submission = planned.submission
        prepared = sent_plan(planned)
        # An engine from elsewhere that has no batches is not asked for any.
        more: dict[str, Any] = {} if submission.batch is None else {"batch": submission.batch}
        ended = prepared.plan is None or caller.walk(
            submission.app,
            prepared.plan,
            strict=submission.strict,
            timeout=submission.timeout,
            **more,
        )
        outcome = outcome_of(prepared.result, timeout=_ONE_LOOK, interval=_ONE_LOOK / 4)
        return replace(outcome, complete=ended, plan=prepared.plan)


class Remembered(Generic[Run]):
    """Which run of the server has a task, for those started last."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def add(self, ids: Iterable[str], run: Run) -> None:
        """The tasks with these ids are in ``run``."""
        self._runs.update(dict.fromkeys(ids, run))
        while len(self._runs) > _REMEMBERED:
            del self._runs[next(iter(self._runs))]

    def of(self, ids: Iterable[str]) -> list[Run]:
        """The runs of those tasks that are remembered."""
        return [self._runs[one] for one in ids if one in self._runs]
