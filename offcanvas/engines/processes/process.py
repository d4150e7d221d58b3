"""What happens in a process of the pool: one of the app's tasks at a time.

The process is set up as Celery sets up a process of its prefork pool: the app is imported, made
current, and ``worker_process_init`` is sent; ``worker_process_shutdown`` is when it ends by itself.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.fixups.django import DjangoFixup

from offcanvas.engines import task_runtime
from offcanvas.engines.processes.reference import resolved, shortened
from offcanvas.engines.settings import change_settings
from offcanvas.engines.walker import ChordFailure, TaskCall
from offcanvas.errors import EngineError

if TYPE_CHECKING:
    from celery import Celery

_apps: list[Celery] = []


def app() -> Celery:
    """The app of this process."""
    return _apps[0]


#: Bytes that tell the length of an answer.
SIZE = 8


def serve(connection: socket.socket, *given: Any) -> None:
    """The life of a process: ``enter(*given)``, then do what is asked until nobody can ask.

    Over ``connection`` come pickles of functions with their arguments, one at a time; each is
    answered by the length and the pickle of what it has returned, what it has raised, and where.
    """
    enter(*given)
    # Else a process that a task has forked would hold the connection when this one is killed.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.register_at_fork(after_in_child=partial(os.dup2, nowhere, connection.fileno()))
    with connection.makefile("rb") as calls, suppress(EOFError, ConnectionError):
        while True:
            work, args = pickle.load(calls)  # noqa: S301  # from the worker
            answer = _answer(work, args)
            connection.sendall(len(answer).to_bytes(SIZE) + answer)


def _answer(work: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    # Not SystemExit: the process ends, as it does in Celery's prefork pool.
    try:
        return pickle.dumps((work(*args), None, ""))
    except Exception as error:
        return pickle.dumps((None, _portable(error), "".join(format_exception(error))))


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # made the moment before
    except Exception:
        return EngineError(f"{type(error).__name__}: {error}")
    return error


def enter(
    target: str, settings: Mapping[str, Any], path: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Begin: import the app at ``target`` (``module:name``) and give it ``settings``.

    ``path`` and ``environment`` are the worker's: a fork server that was there before has those of
    its own beginning.

    Ctrl-C is the worker's business, and a process does not outlive a worker that is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_the_parent()
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environment)
    module, _, name = target.partition(":")
    app: Any = getattr(import_module(module), name)
    change_settings(app, settings)
    app._backend_cache = None  # noqa: SLF001  # a backend made during import has older settings
    app._local.__dict__.pop("backend", None)  # noqa: SLF001  # likewise
    app.loader.init_worker()
    app.loader.init_worker_process()
    app.set_current()
    app.set_default()
    app.finalize()
    for fixup in app._fixups:  # noqa: SLF001  # of Celery, with no other way to them
        if isinstance(fixup, DjangoFixup):
            fixup.worker_fixup.install()  # closes Django's connections after each task
    signals.worker_process_init.send(sender=None)
    Finalize(None, _leave, exitpriority=1)
    _apps.append(app)


def _leave() -> None:
    signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)


def end_with_the_parent() -> None:
    """From now on this process ends when the one that has started it does, even if killed."""
    threading.Thread(target=_end_after_the_parent, name="end-with-parent", daemon=True).start()


def _end_after_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def run_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One attempt at a task; see ``task_runtime.run_task``."""
    app = _apps[0]
    call = resolved(app, _call(raw))
    outcome = task_runtime.run_task(app, call, strict=raw["strict"], killed=True)
    return shortened(app, call, outcome).to_json()


def lose_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The worker or process that had the task is gone: the task has failed."""
    app, call = _apps[0], _call(raw)
    if call.name not in app.tasks:
        return task_runtime.run_task(app, call, strict=raw["strict"]).to_json()
    error = WorkerLostError(raw["why"])
    return task_runtime.fail_task(app, call, error, strict=raw["strict"]).to_json()


def time_out_task(raw: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The task has been killed at its time limit."""
    error = TimeLimitExceeded(limit)
    app, call = _apps[0], _call(raw)
    return task_runtime.fail_task(app, call, error, strict=raw["strict"]).to_json()


def revoke_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The task was revoked before it ran, or killed while it did."""
    reason = "terminated" if raw.get("terminated") else "revoked"
    return task_runtime.revoke(_apps[0], _call(raw), reason).to_json()


def fail_chord(raw: Mapping[str, Any]) -> dict[str, Any]:
    """See ``task_runtime.fail_chord``."""
    failure = ChordFailure.from_json(raw["failure"])
    return task_runtime.fail_chord(_apps[0], failure, strict=raw["strict"]).to_json()


def store_failures(raw: Mapping[str, Any]) -> None:
    """See ``task_runtime.store_failures``."""
    # A canvas that was started before there was one names no culprit.
    task_runtime.store_failures(_apps[0], raw["task_ids"], raw["error"], raw.get("culprit"))


def _call(raw: Mapping[str, Any]) -> TaskCall:
    return TaskCall.from_json(raw["call"])
