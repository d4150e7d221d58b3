"""Task spans from Celery's events, collected in the background.

A worker started with `-E` tells about each task: received, started, and how it ended; the caller
tells that it was sent (`task_send_sent_event`). Events are not stored anywhere: who is not
listening has missed them. `Collector` therefore listens from the moment a worker is waited for.

An event names the node and the main process. The lane of the timeline is the pool's process, which
`celery_impl.lanes.LaneRequest` adds to the events of a running task, together with run and item.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.events import EventReceiver

from shared.contract import TaskSpan

_log = logging.getLogger(__name__)
_ENDS = ("task-succeeded", "task-failed", "task-retried")


@dataclass(slots=True)
class _Started:
    worker: str
    at: float


class _Receiver(EventReceiver):
    """Stops when it is told to."""

    stopping: threading.Event

    @property
    def should_stop(self) -> bool:  # type: ignore[override]  # kombu only reads it
        """Asked by kombu's consumer about once a second."""
        return self.stopping.is_set()


class Collector:
    """Listens to the events of an app in a thread of its own, until `stop()`."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._queued: dict[str, float] = {}
        self._started: dict[tuple[str, int], _Started] = {}
        self._spans: dict[str, list[TaskSpan]] = {}
        self._heard = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celery-events", daemon=True)
        self._thread.start()

    def hear(self, timeout: float) -> bool:
        """Whether an event of a worker arrives within `timeout` seconds, or has before.

        A subscription says nothing when it is in force. Workers are asked for a sign of life.
        """
        self._app.control.broadcast("heartbeat")
        return self._heard.wait(timeout)

    def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def spans(self, run_id: str, since: float) -> list[TaskSpan]:
        """The finished attempts of a run that were started at `since` or later, by start."""
        with self._lock:
            found = [span for span in self._spans.get(run_id, ()) if span.started_at >= since]
        return sorted(found, key=lambda span: (span.started_at, span.finished_at))

    def _run(self) -> None:
        handlers = {
            "task-sent": self._on_queued,
            "task-received": self._on_queued,
            "task-started": self._on_started,
            **dict.fromkeys(_ENDS, self._on_end),
            "worker-heartbeat": lambda _event: self._heard.set(),
        }
        while not self._stopping.is_set():
            with self._app.connection_for_read() as connection:
                try:
                    receiver = _Receiver(connection, handlers=handlers, app=self._app)
                    receiver.stopping = self._stopping
                    receiver.capture()
                except connection.connection_errors as error:
                    _log.warning("not listening to Celery's events for now: %s", error)
                    self._stopping.wait(0.5)

    def _on_queued(self, event: Mapping[str, Any]) -> None:
        with self._lock:
            # Sent and received arrive in any order; the earlier time is when it was queued.
            before = self._queued.get(event["uuid"], event["timestamp"])
            self._queued[event["uuid"]] = min(before, event["timestamp"])

    def _on_started(self, event: Mapping[str, Any]) -> None:
        with self._lock:
            lane = f"{event['hostname']}/{event['pool_pid']}"
            self._started[event["uuid"], event["attempt"]] = _Started(lane, event["accepted_at"])

    def _on_end(self, event: Mapping[str, Any]) -> None:
        with self._lock:
            # A task that was refused before it began (expired, revoked) has no beginning.
            began = self._started.pop((event["uuid"], event.get("attempt", 1)), None)
            if began is None or event.get("run_id") is None:
                return
            self._spans.setdefault(event["run_id"], []).append(
                TaskSpan(
                    task=event["task"].rpartition(".")[2],
                    item=event["item"],
                    worker=began.worker,
                    queued_at=self._queued.get(event["uuid"]),
                    started_at=began.at,
                    # The event's own time is the main process's, which may have been busy.
                    finished_at=began.at + event["runtime"]
                    if "runtime" in event
                    else event["timestamp"],
                    attempt=event["attempt"],
                )
            )
