"""Tasks that are sent alone, one soon after the other, go to the server together.

The first goes at once; what comes while it is on its way goes with the next request. So a task
that is really alone waits for nothing, and a loop of ``delay()`` makes few requests. The price:
``delay()`` returns before the server has the task. While it cannot be reached the tasks are kept
and sent again; what a process that is killed had not sent is lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from celery import states

from offcanvas.canvas.calls import Branch
from offcanvas.canvas.nodes import Task
from offcanvas.engines.batches import Batch
from offcanvas.errors import EngineUnavailable, UsageError

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

#: Tasks of a burst at the most.
MOST = 500
#: Tasks that are kept before ``delay()`` waits.
KEPT = 20_000
#: Seconds between two attempts to reach a server, and for how long the end of the process waits.
_AGAIN, _LAST = 1.0, 60.0
#: What ``lone=`` may say.
_WAYS = ("burst", "activity", "auto")


def is_lone(branch: Branch) -> bool:
    """Whether the branch is a task that begins at once."""
    options = branch.node.options
    return isinstance(branch.node, Task) and not options.countdown and not options.eta


def together(way: str | None, batch: Batch) -> tuple[bool, Batch]:
    """Whether tasks are sent in bursts, and how those are batched.

    "auto" is what is cheapest: bursts, batched by time unless ``batch`` says otherwise.
    """
    return way in {"burst", "auto"}, "auto" if way == "auto" and batch is None else batch


def lone_of(given: object) -> str | None:
    """``lone=`` as it was given.

    Raises:
        UsageError: it says nothing.
    """
    if given is None or (isinstance(given, str) and given in _WAYS):
        return given
    raise UsageError(
        f"lone={given!r:.40} says nothing: it is None for each task by itself, 'burst' for all "
        "that are sent while a request is on its way, 'activity' for an activity without a "
        "workflow, or 'auto' for what is cheapest"
    )


class Bursts:
    """Collects lone tasks, and sends them from a thread of its own.

    Args:
        app: the app; one that cannot be sent fails in its result backend.
        send: sends some; raises EngineUnavailable if they are to be sent again.
    """

    def __init__(self, app: Celery, send: Callable[[Sequence[Branch]], None]) -> None:
        self._app = app
        self._send = send
        self._waiting: deque[Branch] = deque()
        self._changed = threading.Condition()
        self._sending = False
        self._closed_at: float | None = None
        self._thread: threading.Thread | None = None

    def add(self, branch: Branch) -> None:
        """Send it soon."""
        with self._changed:
            while len(self._waiting) >= KEPT:
                self._changed.wait()
            self._waiting.append(branch)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="offcanvas-bursts", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is sent that is here now."""
        with self._changed:
            while self._waiting or self._sending:
                self._changed.wait()

    def close(self) -> None:
        """Wait until all is sent; a server that is away is waited for a minute."""
        with self._changed:
            self._closed_at = time.monotonic()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and self._closed_at is None:
                    self._changed.wait()
                if not self._waiting:
                    return
                self._sending = True
                burst = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                self._changed.notify_all()
            self._deliver(burst)
            with self._changed:
                self._sending = False
                self._changed.notify_all()

    def _deliver(self, burst: list[Branch]) -> None:
        while True:
            try:
                self._send(burst)
            except EngineUnavailable as error:
                if self._is_late():
                    self._refuse_all(burst, error)
                    return
                log.warning("%d tasks are sent again: %s", len(burst), error)
                time.sleep(_AGAIN)
            except Exception as error:  # whatever it is, no other task is lost for it
                if len(burst) == 1:
                    self._refuse_all(burst, error)
                    return
                half = len(burst) // 2
                self._deliver(burst[:half])
                burst = burst[half:]
            else:
                return

    def _is_late(self) -> bool:
        return self._closed_at is not None and time.monotonic() > self._closed_at + _LAST

    def _refuse_all(self, burst: Sequence[Branch], error: Exception) -> None:
        for branch in burst:
            task_id = branch.node.options.task_id or ""
            log.error("%s could not be sent: %s", task_id, error)
            self._app.backend.store_result(task_id, error, states.FAILURE)
