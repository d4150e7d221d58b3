"""Celery itself: a real worker on a private Redis, the baseline of every comparison.

Nothing of the user's broker or result backend is touched: for the time of the run the app's
configuration points to a Redis server of its own, and a worker of its own consumes from it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offcanvas.canvas.lift import lift
from offcanvas.celery_app.carried import other_serializers
from offcanvas.celery_app.importable import importable, task_modules
from offcanvas.celery_app.planning import Planned, Submission
from offcanvas.celery_app.private_results import backend_set_aside
from offcanvas.celery_app.settings import change_settings
from offcanvas.engines.base import Outcome
from offcanvas.engines.celery.rest import come_to_rest
from offcanvas.engines.celery.support import SUPPORT
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prepare import vetted_plan
from offcanvas.errors import BadCanvas, EngineUnavailable, line_of
from offcanvas.servers import Server, ServerError, redis
from offcanvas.servers.base import leashed, stop_process_group
from offcanvas.servers.environment import CELERY_ADDRESSES, without

if TYPE_CHECKING:
    from celery import Celery

#: Seconds for a worker to come up, and for a canvas without a timeout to come to rest.
_START, _REST = 180.0, 60.0
#: Seconds for tasks that still run when the worker is stopped.
_GRACE = 20.0
#: All that ran has come to rest: results are there or never will be.
_ONE_LOOK = 0.1

#: Settings that lead to the user's servers, or past a worker, and what they are in a private run.
PRIVATE: Mapping[str, Any] = {
    "broker_url": None,
    "broker_read_url": None,
    "broker_write_url": None,
    "broker_use_ssl": None,
    "broker_transport_options": {},
    "result_backend": None,
    "result_backend_transport_options": {},
    "redis_backend_use_ssl": None,
    "redis_username": None,
    "redis_password": None,
    "task_always_eager": False,
    "worker_enable_remote_control": True,
    # What tasks print goes where this process prints, and not into the worker's log.
    "worker_redirect_stdouts": False,
}
#: Options of the Redis transport that have a meaning on any Redis; others name one server.
_TRANSPORT_OPTIONS = ("priority_steps", "sep", "queue_order_strategy", "visibility_timeout")


class CeleryEngine:
    """Runs a canvas on Celery."""

    name = "celery"
    support = SUPPORT

    def plan(self, submission: Submission) -> Planned:
        """See ``Engine.plan``; what another serializer takes, Celery finds out itself."""
        node = lift(submission.signature)
        if any(other_serializers(submission.app, node, submission.options)):
            return Planned(submission, None)
        return vetted_plan(self, submission)

    def run(self, planned: Planned) -> Outcome:
        """Start Redis and a worker, run, and stop both; see ``Engine.run``."""
        with self.session(planned.submission.app) as run:
            return run(planned)

    @contextmanager
    def session(self, app: Celery) -> Iterator[Callable[[Planned], Outcome]]:
        """See ``Engine.session``."""
        with worker(app) as url:
            yield lambda planned: _run(planned.submission, url)


def _run(submission: Submission, url: str) -> Outcome:
    """Celery is at rest with no result where ``get()`` would wait for ever: PENDING."""
    signature: Any = submission.signature
    try:
        result = signature.apply_async(submission.args, submission.kwargs, **submission.options)
    except Exception as error:  # of Celery, a serializer, or the app's own code: not yet a task's
        raise BadCanvas(f"Celery refuses to send it: {line_of(error)}") from error
    rested = come_to_rest(submission.app, url, timeout=submission.timeout or _REST)
    outcome = outcome_of(result, timeout=_ONE_LOOK, interval=_ONE_LOOK / 4)
    return replace(outcome, complete=rested)


@contextmanager
def worker(app: Celery, *, pool: str = "prefork") -> Iterator[str]:
    """A worker for ``app`` with a Redis of its own; gives the address of that Redis.

    It consumes from the app's queues, and from others once something waits there while
    ``come_to_rest`` is watching.

    Raises:
        BadTarget: the worker cannot import the app.
        EngineUnavailable: Redis or the worker has not come up; the message ends with the log.
    """
    target = importable(app)
    with _redis() as server:
        log = server.folder / "worker.log"
        given = {
            "app": target,
            "path": sys.path,
            "settings": {**settings_for(app, server.url), "include": task_modules(app)},
            "folder": str(server.folder),
            "arguments": [
                *("-P", pool, "-c", "2", "-l", "WARNING", "--without-gossip", "--without-mingle"),
            ],
        }
        command = [sys.executable, "-m", "offcanvas.engines.celery.worker", json.dumps(given)]
        with configured(app, server.url):
            with log.open("wb") as output:
                process = subprocess.Popen(
                    leashed(command), stderr=output,
                    # Celery would not accept pickle as root; all messages here are our own.
                    env={**os.environ, "C_FORCE_ROOT": "1", "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,
                )  # fmt: skip
            grace = _GRACE
            try:
                _wait(app, process, log)
                yield server.url
            except BaseException:
                grace = 0.5  # whoever gives up does not wait for tasks that run
                raise
            finally:
                stop_process_group(process, grace)


@contextmanager
def _redis() -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(redis())
        except ServerError as error:
            reason = " ".join(str(error).split())
            raise EngineUnavailable(f"Celery needs a broker: {reason}") from error
        yield server


def settings_for(app: Any, url: str) -> dict[str, Any]:
    """What must not be as the user has it: where messages and results go, and how to get there."""
    options = app.conf.broker_transport_options or {}
    kept = {name: options[name] for name in _TRANSPORT_OPTIONS if name in options}
    return {
        **PRIVATE,
        "broker_url": url,
        "result_backend": url,
        "broker_transport_options": kept,
    }


@contextmanager
def configured(app: Any, url: str) -> Iterator[None]:
    """The app with ``url`` for broker and result backend; as before afterwards."""
    settings = settings_for(app, url)
    before = {name: app.conf.get(name) for name in settings}
    with without(*CELERY_ADDRESSES), backend_set_aside(app):
        change_settings(app, settings)
        app._after_fork()  # noqa: SLF001  # Celery's own way to drop its pools of connections
        backend = app.backend
        try:
            yield
        finally:
            let_go(backend)
            change_settings(app, before)
            app._after_fork()  # noqa: SLF001  # as above


def let_go(backend: Any) -> None:
    """Results that live longer than their server must not look for it when they are collected.

    A result that goes unsubscribes: 20 s of retries, and an error that nobody can catch.
    """
    consumer = getattr(backend, "result_consumer", None)
    if consumer is not None:
        consumer.cancel_for = lambda _task_id: None
        consumer.stop()


def _wait(app: Celery, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < deadline:
        if app.control.ping(timeout=1.0, limit=1):
            return
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    reason = said[-1] if said else "it has said nothing"
    raise EngineUnavailable(f"the Celery worker did not come up: {reason}")
