"""What is really run: a line for every task and errback, from the process that ran it.

A process in which ``OFFCANVAS_LEDGER`` names a file appends to it, one JSON object a line:

* ``began``, ``ended``: one attempt at a task, from Celery's own signals of it, the latter with
  the state that the attempt has left it in;
* ``called``: an errback of the new style, which Celery calls in the worker that saw the failure
  and which sends no signal.

An entry's ``root`` is the first task of the tree: canvases that run side by side are told apart by
it. ``at`` is the machine's clock in seconds, ``process`` the process that wrote it.

Every engine's processes call ``record_if_asked``; without the variable nothing happens.
"""

from __future__ import annotations

import os
import time
from functools import wraps
from typing import Any

from celery import signals
from celery.app.task import Context
from celery.canvas import Signature
from kombu.utils.json import dumps

#: The environment variable that names the file.
LEDGER = "OFFCANVAS_LEDGER"

_recording: list[bool] = []


def record_if_asked() -> None:
    """From now on write down what this process runs, where ``OFFCANVAS_LEDGER`` says so."""
    if _recording or LEDGER not in os.environ:
        return
    _recording.append(True)
    signals.task_prerun.connect(_began, weak=False)
    signals.task_postrun.connect(_ended, weak=False)
    original: Any = Signature.__call__

    @wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 3 and isinstance(args[0], Context):
            _called(self, *args)
        return original(self, *args, **kwargs)

    Signature.__call__ = call  # type: ignore[method-assign]  # Celery has no hook for errbacks


def _began(sender: Any, task_id: str, args: Any, kwargs: Any, **_given: Any) -> None:
    _write(
        event="began",
        name=sender.name,
        args=list(args),
        kwargs=kwargs,
        id=task_id,
        root=sender.request.root_id,
        retries=sender.request.retries,
    )


def _ended(sender: Any, task_id: str, state: str | None = None, **_given: Any) -> None:
    _write(event="ended", name=sender.name, id=task_id, root=sender.request.root_id, state=state)


def _called(errback: Any, request: Any, error: BaseException, _traceback: Any) -> None:
    told = [request.id, type(error).__name__, repr(error.args)]
    _write(
        event="called",
        name=errback.task,
        args=[*told, *errback.args],
        kwargs=errback.kwargs,
        id=None,
        root=request.root_id,
    )


def _write(**entry: Any) -> None:
    path = os.environ.get(LEDGER)
    if path is None:
        return
    entry["at"] = time.time()
    entry["process"] = os.getpid()
    try:
        line = dumps(entry)
    except (TypeError, ValueError):  # pickle, for one, carries what JSON does not
        line = dumps({**entry, "args": repr(entry["args"]), "kwargs": repr(entry["kwargs"])})
    # Opened and written anew, in one call each: appends of several processes do not mix.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)
