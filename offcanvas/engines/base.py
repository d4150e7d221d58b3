"""What an engine is, and what a run comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from offcanvas.errors import NeverFinishes

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.calls import Branch
    from offcanvas.canvas.nodes import Node
    from offcanvas.celery_app.planning import Planned, Submission
    from offcanvas.engines.support import Table


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller of ``get()`` sees.

    Attributes:
        state: SUCCESS, FAILURE, or PENDING when ``get()`` would wait for ever.
        value: the value, as it comes back through the result backend.
        error: the exception that ``get()`` raises.
        others: what it might have raised as well: where several members of a group have failed,
            Celery raises the error that arrived first.
        complete: False when the timeout came before everything that was started had ended.
        plan: the plan that was walked, with the ids of its tasks; None on Celery.
    """

    state: str
    value: Any = None
    error: BaseException | None = None
    others: tuple[BaseException, ...] = ()
    complete: bool = True
    plan: Node | None = None

    def get(self) -> Any:
        """The value, or raise what Celery's ``get()`` would raise.

        Raises:
            NeverFinishes: Celery's ``get()`` would wait for ever.
        """
        if self.state == "PENDING":
            raise NeverFinishes
        if self.error is not None:
            raise self.error
        return self.value


class Engine(Protocol):
    """Something that runs canvases; made without arguments."""

    name: str
    #: Its table, from ``support.total`` or ``support.walked``.
    support: Table

    def plan(self, submission: Submission) -> Planned:
        """What ``run`` is going to run; nothing is started.

        Raises:
            UsageError: whatever keeps this engine from running it.
        """

    def run(self, planned: Planned) -> Outcome:
        """Run to the end, callbacks and errbacks included, and say what ``get()`` gives.

        An engine freezes the plan (``freezing.freeze``) once its result backend is in place, walks
        it with a driver of its own, and asks the result for the outcome (``outcome.outcome_of``).
        """

    def session(self, app: Celery) -> AbstractContextManager[Callable[[Planned], Outcome]]:
        """``run`` for several canvases of ``app``, with servers and a worker that stay up.

        Raises:
            BadTarget: worker processes cannot import the app.
            EngineUnavailable: a server or the worker does not come up.
        """


class Target(Protocol):
    """Where rerouted canvases go.

    One that has a method ``look``, which returns a ``metrics.sight.Sight``, is asked by the metrics
    of the caller what is to be seen of the engine as a whole.
    """

    def start(self, branch: Branch) -> None:
        """Begin to walk; returns at once."""

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """Tasks with these ids must not run; ``terminate`` also ends those that have begun."""

    def close(self) -> None:
        """Wait for what was started, and let go."""
