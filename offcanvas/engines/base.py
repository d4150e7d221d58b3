"""What an engine is, what a run comes to, and what an engine says about a canvas beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from offcanvas.engines.versions import require_versions
from offcanvas.errors import MissingExtra, NeverFinishes, UnknownEngine

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.canvas.nodes import Node
    from offcanvas.engines.support import Support

#: Engines by name; imported when they are asked for. The second word is the extra they need.
ENGINES = {
    "memory": ("offcanvas.engines.memory:MemoryEngine", "celery"),
    "celery": ("offcanvas.engines.celery:CeleryEngine", "celery"),
    "temporal": ("offcanvas.engines.temporal.run:TemporalEngine", "temporal"),
    "prefect": ("offcanvas.engines.prefect.run:PrefectEngine", "prefect"),
}


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that an engine cannot do.

    ``where`` is the place in the canvas (``chain[1].header[0]``), ``feature`` the row of the
    support table, ``why`` the reason with what to do instead.
    """

    where: str
    feature: str
    why: str


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


@dataclass(frozen=True, slots=True)
class Submission:
    """``signature.apply_async(args, kwargs, **options)`` for ``app``, not yet prepared.

    ``timeout`` is how many seconds the caller waits for a result, None for ever. ``strict`` is
    ``strict_celery``.
    """

    app: Celery
    signature: Mapping[str, Any]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    timeout: float | None = None


class Engine(Protocol):
    """Something that runs canvases; made without arguments."""

    name: str
    #: Its table, from ``support.total``.
    support: Mapping[str, Support]

    def run(self, submission: Submission) -> Outcome:
        """Run to the end, callbacks and errbacks included, and say what ``get()`` gives.

        An engine prepares the submission (``prepare.prepare``) once its result backend is in
        place, looks for gaps before it starts anything, walks the plan with a driver of its own,
        and asks the prepared result for the outcome (``outcome.outcome_of``).
        """

    def session(self, app: Celery) -> AbstractContextManager[Callable[[Submission], Outcome]]:
        """``run`` for several canvases of ``app``, with servers and a worker that stay up.

        Raises:
            BadTarget: worker processes cannot import the app.
            EngineUnavailable: a server or the worker does not come up.
        """

    def vet(self, submission: Submission) -> None:
        """Start nothing, and raise what ``run`` would raise before it starts anything."""


def engine(name: str) -> Engine:
    """The engine called ``name``.

    Raises:
        UnknownEngine: there is none; the message lists those that are.
        MissingExtra: its library is not installed; the message names the extra.
        EngineUnavailable: its library is of a version that the kit does not work with.
    """
    try:
        path, extra = ENGINES[name]
    except KeyError:
        there_are = ", ".join(sorted(ENGINES))
        raise UnknownEngine(f"no engine is called {name!r}; there are: {there_are}") from None
    require_versions(name, extra)
    module, _, cls = path.partition(":")
    try:
        made: Engine = getattr(import_module(module), cls)()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("offcanvas"):
            raise
        raise MissingExtra(
            f"the engine {name} needs {error.name}: pip install 'offcanvas[{extra}]'"
        ) from error
    return made
