"""An engine with its servers up, and everything that its tasks do written down."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from offcanvas.celery_app.planning import Planned, Submission
from offcanvas.celery_app.recorder import record_if_asked
from offcanvas.checking.appstate import AppState
from offcanvas.checking.fresh import fresh
from offcanvas.checking.ledger import Ledger
from offcanvas.checking.seen import Seen, seen
from offcanvas.engines.base import Engine, Outcome
from offcanvas.errors import CanvasWarning
from offcanvas.servers.base import private_folder

if TYPE_CHECKING:
    from celery import Celery


class Watch:
    """Runs canvases of one app on one engine and says what was seen."""

    def __init__(
        self,
        engine: Engine,
        run: Callable[[Planned], Outcome],
        book: Ledger,
        state: AppState,
        before: AppState,
    ) -> None:
        self._engine = engine
        self._run = run
        self._book = book
        self._state = state
        self._before = before

    def __call__(self, submission: Submission) -> Seen:
        """Run to the end, callbacks included; raises what ``Engine.run`` raises."""
        self._book.clear()
        inside = self._state.inside(self._before)
        with inside, self._book.named(), warnings.catch_warnings():
            warnings.simplefilter("ignore", CanvasWarning)  # whoever compares sees it
            record_if_asked()
            copied = replace(submission, signature=fresh(submission.signature))
            outcome = self._run(self._engine.plan(copied))
        return seen(outcome, self._book.entries())

    def entries(self) -> list[dict[str, Any]]:
        """What was written down since the last run began."""
        return self._book.entries()


@contextmanager
def watch(engine: Engine, app: Celery) -> Iterator[Watch]:
    """Servers and a worker for ``app`` on ``engine``; all of it is gone at the end.

    The app itself is as before whenever no canvas runs.

    Raises:
        BadTarget: worker processes cannot import the app.
        EngineUnavailable: a server or the worker does not come up.
    """
    with ExitStack() as stack:
        folder = private_folder("ledger")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        book = Ledger(folder / f"{engine.name}.jsonl")
        before = AppState(app)
        with book.named():
            run = stack.enter_context(engine.session(app))
        state = AppState(app)
        stack.callback(state.put)  # for the session to change back from
        before.put()
        yield Watch(engine, run, book, state, before)
