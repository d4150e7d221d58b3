"""The names of all metrics, their labels and what they mean: the same words on every engine.

Where an engine means something else by a word, or cannot tell, docs/monitoring.md says so.
The reference and the kit each have this file; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "offcanvas_"

# How an attempt at a task ends.
SUCCEEDED, FAILED, RETRIED, REVOKED = "succeeded", "failed", "retried", "revoked"
LOST, TIMED_OUT, LEFT = "lost", "timed out", "left"
STATES = (SUCCEEDED, FAILED, RETRIED, REVOKED, LOST, TIMED_OUT, LEFT)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without the prefix, and as Prometheus shows it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    says: str

    @property
    def shown(self) -> str:
        """The name in Prometheus; a counter's ends in `_total`."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


TASKS = Family(
    "tasks", "counter", ("engine", "task", "state"),
    "Attempts at tasks that have ended, by how: " + ", ".join(STATES),
)  # fmt: skip
RETRIES = Family(
    "task_retries", "counter", ("engine", "task"),
    "Attempts after which the task is tried again",
)  # fmt: skip
RUN_TIME = Family(
    "task_run_seconds", "histogram", ("engine", "task"),
    "Seconds that an attempt was at work",
)  # fmt: skip
WAIT_TIME = Family(
    "task_wait_seconds", "histogram", ("engine", "task"),
    "Seconds from the moment a task was sent, or due, to its begin",
)  # fmt: skip
RUNNING = Family(
    "tasks_running", "gauge", ("engine",),
    "Tasks that this process has at work",
)  # fmt: skip
RUNNING_OLDEST = Family(
    "task_running_oldest_seconds", "gauge", ("engine",),
    "Seconds that the oldest of them has been at work",
)  # fmt: skip
NOT_STORED = Family(
    "results_not_stored", "counter", ("engine",),
    "Results that could not be stored, and tries to store one that failed",
)  # fmt: skip
SENT = Family(
    "canvases_sent", "counter", ("engine",),
    "Canvases that this process has sent",
)  # fmt: skip
RECOVERED = Family(
    "recovery_found", "counter", ("engine",),
    "What sweeps have found lost, and started again",
)  # fmt: skip
SCHEDULE_SEEN = Family(
    "schedule_seen_timestamp_seconds", "gauge", ("engine", "schedule"),
    "When a schedule last started its work; the worker's own start before the first time",
)  # fmt: skip
SCHEDULE_EVERY = Family(
    "schedule_every_seconds", "gauge", ("engine", "schedule"),
    "Seconds from one start to the next",
)  # fmt: skip

# What a watcher sees of an engine as a whole.
UP = Family(
    "up", "gauge", ("engine",),
    "1 if broker, server and database have answered at the last look, 0 if not",
)  # fmt: skip
QUEUE_DEPTH = Family(
    "queue_depth", "gauge", ("engine", "queue"),
    "What waits in a queue and is due",
)  # fmt: skip
QUEUE_OLDEST = Family(
    "queue_oldest_seconds", "gauge", ("engine", "queue"),
    "Seconds that the oldest of it has waited",
)  # fmt: skip
WORKERS = Family(
    "workers", "gauge", ("engine",),
    "Workers that live",
)  # fmt: skip
CANVASES_OPEN = Family(
    "canvases_open", "gauge", ("engine",),
    "Chords or canvases that the engine has begun and not ended",
)  # fmt: skip
CANVAS_OLDEST = Family(
    "canvas_oldest_seconds", "gauge", ("engine",),
    "Seconds since the oldest of them was begun",
)  # fmt: skip
UNFINISHED = Family(
    "runs_unfinished", "gauge", ("engine",),
    "Runs that lack something by the database, whatever the engine knows of them",
)  # fmt: skip
UNFINISHED_OLDEST = Family(
    "run_unfinished_oldest_seconds", "gauge", ("engine",),
    "Seconds since the oldest of them was entered",
)  # fmt: skip
UNSENT = Family(
    "recovery_unsent", "gauge", ("engine",),
    "Claims that nothing is at work on: what the next sweep is to send",
)  # fmt: skip
LIMIT = Family(
    "limit_seconds", "gauge", ("engine", "of"),
    "What the alert rules measure ages against",
)  # fmt: skip

FAMILIES = tuple(value for value in list(globals().values()) if isinstance(value, Family))

# From the time of a task that does nothing to that of one that has to be given up.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
