"""What the comparisons, the tests and the command lines ask of every engine.

`celery_impl.client`, `prefect_impl.client` and `temporal_impl.client` each have a class `Client`
that satisfies `EngineClient`. Addresses come from `shared.settings`, never from arguments, so that
a worker process and its caller cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller of a run got: a total, nothing, or an error as the engine tells it.

    `error_type` is the class name of the original exception, `error_text` its message, both free
    of the engine's wrapping (ChordError, ActivityError, ...); `wrapped_in` keeps the wrapping.
    """

    total_pages: int | None = None
    error_type: str | None = None
    error_text: str | None = None
    wrapped_in: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSpan:
    """One executed task from the engine's own records; times are UTC seconds since the epoch.

    `queued_at` is when the engine took the task in, `started_at`/`finished_at` when user code ran.
    """

    task: str
    item: str
    worker: str
    queued_at: float | None
    started_at: float
    finished_at: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Health:
    """A health check's answer. `reachable` is False when the server did not answer at all."""

    engine: str
    reachable: bool
    detail: str
    workers: Sequence[str] = field(default_factory=tuple)
    queued: int | None = None
    running: int | None = None
    stuck: Sequence[str] = field(default_factory=tuple)

    @property
    def healthy(self) -> bool:
        """Reachable, with a worker, with nothing stuck."""
        return self.reachable and bool(self.workers) and not self.stuck


class EngineClient(Protocol):
    """The caller's side of an engine."""

    name: str

    def worker_command(self, concurrency: int) -> list[str]:
        """The argument vector of ONE worker that executes `concurrency` steps at a time.

        Run in the repository's root, it works in the foreground until SIGTERM, and then lets the
        steps in hand end. The processes it makes belong to it and end with it.
        """
        ...

    def wait_for_worker(self, timeout: float) -> None:
        """Return once a worker takes work; raises TimeoutError."""
        ...

    def start(self, variant: str, run_id: str) -> str:
        """Start a variant and return the engine's own id of the execution, without waiting.

        Calls `shared.steps.begin_run` itself. The variant may also be one of `WORKLOADS`.
        """
        ...

    def wait(self, execution_id: str, timeout: float) -> Outcome:
        """Wait for the end as a caller would; raises TimeoutError.

        For a variant whose results nobody collects this returns once it has been handed over;
        whoever needs the rolls asks the database.
        """
        ...

    def spans(self, execution_id: str) -> list[TaskSpan]:
        """Every executed task of the execution from the engine's own records, by start."""
        ...

    def health(self) -> Health:
        """Look at server, workers, queues and stuck executions; never raises for what is down."""
        ...

    def close(self) -> None:
        """Let go of connections; further calls are errors."""
        ...


# Bare workloads for pure overhead, named `<kind>:<n>`: a fan-out of n steps that do nothing and a
# fan-in that counts them (returns n as the total); n sequential Fibonacci steps, as the published
# benchmark of workflow engines has them: 10 x fib(33) and 40 x fib(10).
WORKLOADS = ("noop:<n>", "nap:<n>", "fib33:<n>", "fib10:<n>")
