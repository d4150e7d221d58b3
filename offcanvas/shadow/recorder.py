"""Recording what a Celery app does: roots at the seam, tasks by Celery's signals.

A root that is sampled gets a root id that says so, and all of its tasks carry it: a worker knows by
one look at the request whether to write anything.
"""

from __future__ import annotations

import atexit
import inspect
import os
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery, signals
from kombu.utils import json
from kombu.utils.uuid import uuid

from offcanvas.canvas.lift import lift
from offcanvas.canvas.lower import lower
from offcanvas.celery_app.seam import open_route
from offcanvas.cutover import roots
from offcanvas.cutover.decision import as_text, place_of
from offcanvas.cutover.ways.celery import as_ever, is_left_to_celery
from offcanvas.engines.processes.process import runs_tasks
from offcanvas.errors import UsageError, line_of
from offcanvas.shadow.masks import Masks

if TYPE_CHECKING:
    from celery.app.task import Task

#: Root ids of what is recorded begin so.
PREFIX = "oc-recorded-"
#: Seconds until a line is in the file at the latest.
_EVERY = 0.5


class Recording:
    """An open recording; ``close()`` ends it. See ``record``."""

    roots_only = True

    def __init__(
        self,
        app: Celery,
        folder: Path,
        share: float,
        key: str | None,
        limit: int,
        masks: Masks,
        inner: Any,
    ) -> None:
        self.app, self.share, self.key, self.masks, self.inner = app, share, key, masks, inner
        self.lines = _Lines(folder, limit)
        self._undo: Callable[[], None] | None = None
        self._parameters: dict[str, inspect.Signature] = {}

    def open(self) -> None:
        """From now on."""
        self._undo = open_route(self.app, self)
        signals.task_success.connect(self._success, weak=False, dispatch_uid="offcanvas-success")
        signals.task_failure.connect(self._failure, weak=False, dispatch_uid="offcanvas-failure")
        signals.task_retry.connect(self._retry, weak=False, dispatch_uid="offcanvas-retry")
        atexit.register(self.lines.flush)

    def close(self) -> None:
        """No more; what was seen is in the files."""
        if self._undo is not None:
            self._undo()
            self._undo = None
            signals.task_success.disconnect(dispatch_uid="offcanvas-success")
            signals.task_failure.disconnect(dispatch_uid="offcanvas-failure")
            signals.task_retry.disconnect(dispatch_uid="offcanvas-retry")
        self.lines.flush()

    # -- roots

    def submit(
        self,
        signature: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Record the root if it is sampled, and do what would be done without this."""
        if is_left_to_celery() or options.get("root_id") or not self._is_sampled(signature):
            return self._on(signature, args, kwargs, options)
        name, given = roots.root_of(signature)
        found = f"{PREFIX}{uuid()}"
        begun = time.time()
        result = self._on(signature, args, kwargs, {**options, "root_id": found})
        if given is None:
            given = roots.arguments(self.app, signature)
        self.lines.add(
            {
                "kind": "root",
                "root": found,
                "name": name,
                "given": self.masks.arguments(name.replace(":", "."), given),
                "canvas": _shape_of(signature),
                "result": _ids(result),
                "at": begun,
            }
        )
        return result

    def _on(self, signature: Any, args: Any, kwargs: Any, options: Any) -> Any:
        if self.inner is not None:
            return self.inner.submit(signature, args, kwargs, options)
        from offcanvas.celery_app.seam import DECLINED

        if is_left_to_celery() or (
            signature.get("subtask_type") is None and "root_id" not in options
        ):
            return DECLINED
        return as_ever(self.app, signature, args, kwargs, options)

    def _is_sampled(self, signature: Mapping[str, Any]) -> bool:
        if self.share >= 1:
            return True
        if self.key is None:
            return random.random() < self.share  # noqa: S311  # no secret
        name, given = roots.root_of(signature)
        given = roots.arguments(self.app, signature) if given is None else given
        return place_of("record", name, as_text(given.get(self.key))) < 10_000 * self.share

    def revoke(self, ids: Sequence[str], *, terminate: bool) -> None:
        """As without this."""
        if self.inner is not None:
            self.inner.revoke(ids, terminate=terminate)
            return
        from celery.app.control import Control

        from offcanvas.celery_app.seam import unrouted

        unrouted(Control, "revoke")(self.app.control, list(ids), terminate=terminate)

    def replace(self, task: Any, signature: Any) -> None:
        """Not asked inside of tasks."""
        raise RuntimeError(f"{task.name} runs outside of a worker")

    # -- tasks

    def _success(self, sender: Task[Any, Any], result: Any = None, **_: Any) -> None:
        root = sender.request.root_id
        if root and root.startswith(PREFIX):
            self._task(sender, "SUCCESS", value=self.masks.result(sender.name, result))

    def _failure(self, sender: Any, exception: Any = None, **_: Any) -> None:
        root = sender.request.root_id
        if root and root.startswith(PREFIX):
            # The errbacks of a chord's body are called when a member of its header fails.
            body = (sender.request.chord or {}).get("options") or {}
            called = [*(sender.request.errbacks or ()), *(body.get("link_error") or ())]
            errbacks = [one["task"] for one in called]
            self._task(sender, "FAILURE", error=_error(exception), errbacks=errbacks)

    def _retry(self, sender: Any, request: Any = None, reason: Any = None, **_: Any) -> None:
        root = sender.request.root_id
        if root and root.startswith(PREFIX):
            cause = getattr(reason, "exc", None) or reason
            self._task(sender, "RETRY", error=_error(cause))

    def _task(self, task: Any, state: str, **more: Any) -> None:
        request = task.request
        self.lines.add(
            {
                "kind": "task",
                "root": request.root_id,
                "id": request.id,
                "task": task.name,
                "given": self.masks.arguments(task.name, self._named(task, request)),
                "retries": request.retries,
                "state": state,
                "at": time.time(),
                **more,
            }
        )

    def _named(self, task: Any, request: Any) -> Mapping[str, Any]:
        shape = self._parameters.get(task.name)
        if shape is None:
            shape = self._parameters[task.name] = inspect.signature(task.run)
        bound = shape.bind(*request.args, **request.kwargs)
        bound.apply_defaults()
        return bound.arguments


class _Lines:
    """Lines of one process, written in the background; the files of a folder have a limit."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._waiting: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._pid, self._written, self.dropped = 0, 0, 0
        self._path = folder / "none"

    def add(self, line: dict[str, Any]) -> None:
        if self._pid != os.getpid():
            self._begin()
        self._waiting.append(line)

    def _begin(self) -> None:
        self._pid, self._waiting, self._lock = os.getpid(), [], threading.Lock()
        self._path = self._folder / f"{os.getpid()}-{uuid()[:8]}.jsonl"
        self._written = sum(one.stat().st_size for one in self._folder.glob("*.jsonl"))
        threading.Thread(target=self._write, name="offcanvas-record", daemon=True).start()

    def _write(self) -> None:
        while True:
            time.sleep(_EVERY)
            self.flush()

    def flush(self) -> None:
        if self._pid != os.getpid() or not self._waiting:
            return
        with self._lock:
            these, self._waiting = self._waiting, []
            texts = []
            for line in these:
                try:
                    texts.append(json.dumps(line))
                except (TypeError, ValueError) as error:  # a value that JSON does not carry
                    kept = {name: line[name] for name in ("kind", "root") if name in line}
                    texts.append(json.dumps({**kept, "unreadable": line_of(error)}))
            data = "".join(f"{text}\n" for text in texts)
            if self._written + len(data) > self._limit:
                self.dropped += len(these)
                return
            with self._path.open("a", encoding="utf-8") as file:
                file.write(data)
            self._written += len(data)


def _shape_of(signature: Mapping[str, Any]) -> Any:
    if signature.get("subtask_type") is None and not signature["kwargs"].get("task"):
        options = {n: signature["options"].get(n) for n in ("link", "link_error")}
        if not any(options.values()):  # a task alone, as most are
            return {**_ALONE, "task": signature["task"]}
    return _shape(lower(lift(signature)))


_ALONE: dict[str, Any] = {
    "task": "",
    "args": [],
    "kwargs": {},
    "options": {},
    "subtask_type": None,
    "immutable": False,
}


def _shape(given: Any) -> Any:
    """A canvas without its arguments: those are recorded, and masked, with the tasks."""
    if isinstance(given, list):
        return [_shape(one) for one in given]
    if not isinstance(given, dict):
        return given
    if "task" not in given or "kwargs" not in given:
        return {name: _shape(value) for name, value in given.items()}
    inner = given["kwargs"] if given.get("subtask_type") in {"chain", "group", "chord"} else {}
    options = {n: _shape(given["options"].get(n) or []) for n in ("link", "link_error")}
    return {**given, "args": [], "kwargs": _shape(inner), "options": options}


def _error(error: Any) -> list[Any]:
    kind = type(error)
    where = f"{kind.__module__}:{kind.__qualname__}"
    return [kind.__name__, str(error), [one.__name__ for one in kind.__mro__], where]


def _ids(result: Any) -> Any:
    """The id whose value is the canvas's: one, or one for each member of a group."""
    members = getattr(result, "results", None)
    return [_ids(one) for one in members] if members is not None else getattr(result, "id", None)


def record(
    app: Celery,
    folder: str | Path,
    *,
    share: float = 1.0,
    key: str | None = None,
    limit: int = 100_000_000,
    mask: Collection[str] = (),
    salt: str = "",
    roots_of: Collection[str] = (),
) -> Recording | None:
    """Write down what the app does, from now on, in this process.

    To be called where the app is made, in callers and in Celery's workers; in the workers of an
    engine it does nothing, and returns None.

    Args:
        app: the Celery app.
        folder: where the files go; every process writes its own.
        share: of the roots that are recorded, 0 to 1.
        key: a parameter: all roots with the same value are recorded, or none.
        limit: bytes that the folder may hold; nothing is written after that.
        mask: values that are replaced by a hash: ``task.parameter`` and ``task:result``.
        salt: of the hash.
        roots_of: functions that make canvases, ``module:function``; their arguments are recorded.

    Raises:
        UsageError: an argument cannot be used.
    """
    from offcanvas.celery_app.seam import route_for

    if isinstance(share, bool) or not 0 <= share <= 1:
        raise UsageError(f"share={share!r} has to be a number from 0 to 1")
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: no recording can be kept there: {error.strerror}") from None
    if runs_tasks():
        return None
    names = list(roots_of)
    roots.wrap_all(names)
    app.on_after_finalize.connect(lambda **_: roots.wrap_all(names), weak=False)
    found = Recording(app, path, share, key, limit, Masks(mask, salt), route_for(app))
    found.open()
    return found
