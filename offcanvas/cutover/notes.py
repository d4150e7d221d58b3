"""Noting in the claims what was sent: in the background, several at a time.

A note that gets lost does no harm: the sweep sends again, and the other side sees that it has been.
So a call costs one insert, and no update.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable

from offcanvas.cutover.claims import Claims
from offcanvas.errors import OffcanvasError

log = logging.getLogger(__name__)

#: Seconds until a note is written at the latest; notes that are kept while the claims are down.
_EVERY, _MOST = 0.5, 100_000


class Notes:
    """Notes of one process; a fork has a thread of its own."""

    def __init__(self, claims: Callable[[], Claims]) -> None:
        self._claims = claims
        self._waiting: list[str] = []
        self._lock = threading.Lock()
        self._some, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def add(self, claim_id: str) -> None:
        """It has been sent."""
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            if len(self._waiting) < _MOST:
                self._waiting.append(claim_id)
        self._some.set()

    def _begin(self) -> None:
        if self._pid == 0:
            atexit.register(self.flush)
        self._pid, self._waiting, self._lock = os.getpid(), [], threading.Lock()
        self._some, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write, name="offcanvas-notes", daemon=True)
        self._thread.start()

    def _write(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self._ended.wait(_EVERY)
            self.flush()

    def close(self) -> None:
        """Write what waits; when this returns, nothing more is asked of the claims."""
        if self._pid != os.getpid() or self._thread is None:
            return
        atexit.unregister(self.flush)
        self._ended.set()
        self._some.set()
        self._thread.join()
        self.flush()
        self._pid, self._thread = 0, None

    def flush(self) -> None:
        """Write what waits."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._some.clear()
            these, self._waiting = self._waiting, []
        if not these:
            return
        try:
            self._claims().note_sent(these)
        except OffcanvasError as error:
            log.warning("%s", error)
            with self._lock:
                self._waiting = (these + self._waiting)[:_MOST]
