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
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from traceback import format_exception
from types import ModuleType
from typing import TYPE_CHECKING, Any

from celery import signals, states
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.fixups.django import DjangoFixup

from offcanvas import tracing
from offcanvas.canvas.calls import ChordFailure, TaskCall, TaskOutcome
from offcanvas.celery_app import task_runtime
from offcanvas.celery_app.persistence import make_persistent
from offcanvas.celery_app.settings import change_settings
from offcanvas.engines.processes import journal
from offcanvas.engines.processes.board import Board
from offcanvas.engines.processes.reference import (
    full_error,
    resolved,
    short_error,
    shortened,
    store_text,
    stored_text,
)
from offcanvas.errors import CanvasTooLarge, EngineError

if TYPE_CHECKING:
    from celery import Celery

_apps: list[Celery] = []
#: Modules of apps that this process of a pool is importing just now.
importing: list[str] = []


class CannotBeginError(EngineError):
    """A process of the pool cannot begin; the text is why."""


def app() -> Celery:
    """The app of this process."""
    return _apps[0]


def board() -> Board:
    """The board of this process."""
    return _board[0]


#: Not empty in a process that runs tasks, from before the app is imported.
_entered: list[str] = []


#: In the environment of the fork server, which imports the app before there is a process.
FORK_SERVER = "OFFCANVAS_FORK_SERVER"


def runs_tasks() -> bool:
    """Whether this process is one of a pool: what its tasks send goes with their canvas."""
    return bool(_entered) or FORK_SERVER in os.environ


#: What this process and its worker tell each other of a batch.
_board: list[Board] = []

#: Bytes that tell the length of an answer.
SIZE = 8


def serve(connection: socket.socket, shared: Any, *given: Any) -> None:
    """The life of a process: ``enter(*given)``, then do what is asked until nobody can ask.

    ``shared`` is that of the process's ``Board``.

    Over ``connection`` come pickles of functions with their arguments, one at a time; each is
    answered by the length and the pickle of what it has returned, what it has raised, and where.
    """
    _board.append(Board(shared))
    try:
        enter(*given)
    except BaseException as error:
        connection.sendall(_framed(_failed_answer(error)))
        raise SystemExit(1) from None
    # Else a process that a task has forked would hold the connection when this one is killed.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.register_at_fork(after_in_child=partial(os.dup2, nowhere, connection.fileno()))
    with connection.makefile("rb") as calls, suppress(EOFError, ConnectionError):
        while True:
            work, args = pickle.load(calls)  # noqa: S301  # from the worker
            answer = _answer(work, args)
            show_what_was_printed()
            connection.sendall(_framed(answer))


def _framed(answer: bytes) -> bytes:
    return len(answer).to_bytes(SIZE) + answer


def _failed_answer(error: BaseException) -> bytes:
    """Of a process that cannot begin: why, in one line."""
    why = " ".join(f"{type(error).__name__}: {error}".split())
    return pickle.dumps((None, CannotBeginError(why), ""))


def _answer(work: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    # Not SystemExit: the process ends, as it does in Celery's prefork pool.
    try:
        return pickle.dumps((work(*args), None, ""))
    except Exception as error:
        return pickle.dumps((None, _portable(error), "".join(format_exception(error))))


def show_what_was_printed() -> None:
    """A process may be killed at any time, and takes what it has in its buffers along."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # none, broken or closed by a task
            stream.flush()


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
    _entered.append(target)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_the_parent()
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environment)
    tracing.start_if_asked()
    module, _, name = target.partition(":")
    app: Any = getattr(import_module_of_app(module), name)
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


def import_module_of_app(name: str) -> ModuleType:
    """Import it in a process of a pool, where it must not start a pool in its turn."""
    importing.append(name)
    try:
        return import_module(name)
    finally:
        importing.remove(name)


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
    """One attempt at a task; see ``task_runtime.run_task``.

    ``raw`` has the ``call`` and ``strict``; ``entry``, the attempt's name in the journal, on
    engines that have one; ``again`` if the attempt was begun before and may have ended; and
    ``most``, how many bytes the engine takes at a time, where that is limited.
    """
    app, call = open_call(raw)
    if raw.get("again") and raw.get("entry"):
        known = journal.ended(app, call, raw)
        if known is not None:
            return known.to_json()
    return attempt(app, call, raw).to_json()


def open_call(raw: Mapping[str, Any]) -> tuple[Celery, TaskCall]:
    """The app, whose results are stored whatever happens to the result backend, and the call."""
    app, call = _apps[0], TaskCall.from_json(raw["call"])
    make_persistent(app.backend)
    task = app.tasks.get(call.name)
    if task is not None:
        make_persistent(task.backend)
    return app, call


def attempt(app: Celery, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome:
    """Run the task once results can be stored, and write down what the backend does not know.

    A reference that leads nowhere fails this task alone.
    """
    storage_proven()
    try:
        full = resolved(app, call) if call.name in app.tasks else call
    except Exception as error:  # of the value: while the backend is away it is asked again
        return task_runtime.fail_task(app, call, error, strict=raw["strict"])
    outcome = _one_attempt(app, full, raw)
    # The task sees what it was called with, the server and the journal what stands for it.
    outcome = shortened(app, call, outcome, full)
    if raw.get("entry"):
        journal.keep(app, raw["entry"], call, outcome)
    _proven[:] = [time.monotonic()]
    return outcome


#: When this process has seen last that a result can be stored.
_proven: list[float] = []
#: For how many seconds that is believed.
_BELIEVED = 1.0
#: The name of the result that this process stores to see it; two that write one file at a time
#: would find half of it.
_probe: list[str] = []


def storage_proven(_raw: object = None) -> None:
    """Wait until results can be stored: what is not begun is neither lost nor done twice."""
    app = _apps[0]
    make_persistent(app.backend)
    if not _proven or time.monotonic() > _proven[0] + _BELIEVED:
        if not _probe:
            _probe.append(str(uuid.uuid4()))
        with suppress(Exception):  # what does not pass is met again when the task has a result
            app.backend.store_result(_probe[0], None, states.SUCCESS)
        _proven[:] = [time.monotonic()]


def _one_attempt(app: Celery, call: TaskCall, raw: Mapping[str, Any]) -> TaskOutcome:
    """``task_runtime.run_task``, where a KeyboardInterrupt is the task's: Ctrl-C is not for it."""
    strict = raw["strict"]
    try:
        return task_runtime.run_task(app, call, strict=strict, killed=True, most=raw.get("most"))
    except KeyboardInterrupt as error:
        lost = WorkerLostError(task_runtime.interrupted(error))
        return task_runtime.fail_task(app, call, lost, strict=strict)


def lose_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The worker or process that had the task is gone: the task has failed, unless it had ended."""
    app, call = open_call(raw)
    if raw.get("entry"):
        known = journal.ended(app, call, raw)
        if known is not None:
            return known.to_json()
    if call.name not in app.tasks:
        return task_runtime.run_task(app, call, strict=raw["strict"]).to_json()
    return _failed(app, call, WorkerLostError(raw["why"]), raw).to_json()


def time_out_task(raw: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The task has been killed at its time limit."""
    app, call = open_call(raw)
    return _failed(app, call, TimeLimitExceeded(limit), raw).to_json()


def overflow_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the task has come to is more than the engine's server takes."""
    app, call = open_call(raw)
    return _failed(app, call, CanvasTooLarge(raw["why"]), raw).to_json()


def revoke_task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The task was revoked before it ran, or killed while it did."""
    app, call = open_call(raw)
    reason = "terminated" if raw.get("terminated") else "revoked"
    stamped = bool(raw.get("stamped"))
    return task_runtime.revoke(app, _readable(app, call), reason, stamped=stamped).to_json()


def revoke_noted(raw: Mapping[str, Any]) -> bool:
    """Whether the task was revoked while it ran (``journal.revoked_name``)."""
    app, _ = open_call(raw)
    return journal.read(app, journal.revoked_name(raw["entry"])) is not None


def revoke_if_noted(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Revoke the task if it was to run once more, and somebody has revoked it meanwhile."""
    app, call = open_call(raw)
    if not revoke_noted(raw) or journal.ended(app, call, raw) is not None:
        return None
    return revoke_task(raw)


def fail_chord(raw: Mapping[str, Any]) -> dict[str, Any]:
    """See ``task_runtime.fail_chord``."""
    app, failure = _apps[0], ChordFailure.from_json(raw["failure"])
    make_persistent(app.backend)
    failure = replace(failure, error=full_error(app, failure.error))
    outcome = task_runtime.fail_chord(app, failure, strict=raw["strict"])
    if outcome.error is not None:  # which quotes the one of the header
        body = failure.body["options"].get("task_id")
        outcome = replace(outcome, error=short_error(outcome.error, body))
    return outcome.to_json()


def store_failures(raw: Mapping[str, Any]) -> None:
    """See ``task_runtime.store_failures``."""
    app = _apps[0]
    make_persistent(app.backend)
    error = full_error(app, raw["error"])
    # A canvas that was started before there was one names no culprit.
    task_runtime.store_failures(app, raw["task_ids"], error, raw.get("culprit"))


def keep_text(raw: Mapping[str, Any]) -> None:
    """Store a part of a value that is too long for the engine's messages."""
    app = _apps[0]
    make_persistent(app.backend)
    store_text(app, raw["text"], raw["place"])


def load_text(raw: Mapping[str, Any]) -> str:
    """A part of a text that was stored.

    Raises:
        LookupError: it is no longer there.
    """
    app = _apps[0]
    make_persistent(app.backend)
    return stored_text(app, raw["place"])


def _failed(app: Celery, call: TaskCall, error: Exception, raw: Mapping[str, Any]) -> TaskOutcome:
    return task_runtime.fail_task(app, _readable(app, call), error, strict=raw["strict"])


def _readable(app: Celery, call: TaskCall) -> TaskCall:
    """The call with values in the place of references, if they are there: errbacks see them."""
    try:
        return resolved(app, call)
    except Exception:  # the task fails or is revoked whether they are there or not
        return call
