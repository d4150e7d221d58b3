"""The caller's side: start a variant, wait for its outcome, read its spans, look at its health."""

from __future__ import annotations

import contextlib
import gc
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from celery.exceptions import ChordError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult, GroupResult

from celery_impl import workloads
from celery_impl.app import connect
from celery_impl.health import look
from celery_impl.reach import reach
from celery_impl.spans import Collector
from celery_impl.worker import worker_command
from shared import steps
from shared.contract import Health, Outcome, TaskSpan
from shared.variants import named
from shared.workloads import parse

# How often a wait looks whether something before the awaited task will never let it run.
_LOOK_BACK = 5.0  # seconds
_DEPENDENCY = re.compile(r"Dependency ([0-9a-f-]{36}) raised ")


@dataclass(frozen=True, slots=True)
class _Execution:
    run_id: str
    started_at: float
    is_group: bool
    before: tuple[str, ...]  # the tasks that the awaited one waits for


def _before(result: Any) -> Iterator[str]:
    """The ids of the tasks before the last one: the members of a header, the steps of a chain."""
    parent = result.parent
    while parent is not None:
        members = parent.results if isinstance(parent, GroupResult) else [parent]
        yield from (member.id for member in members or ())
        parent = parent.parent


class Client:
    """Celery as `shared.contract.EngineClient`."""

    name = "celery"

    def __init__(self) -> None:
        self._app = connect()
        self._executions: dict[str, _Execution] = {}
        self._collector: Collector | None = None
        self._reached = False

    def worker_command(self, concurrency: int) -> list[str]:
        """One prefork worker with `concurrency` processes."""
        return worker_command(concurrency)

    def wait_for_worker(self, timeout: float) -> None:
        """Return once a worker answers and its events arrive here.

        Raises:
            UsageError: the broker or the result backend does not answer.
            TimeoutError: no worker did in so many seconds.
        """
        self._reach()
        deadline = time.monotonic() + timeout
        if self._collector is None:
            self._collector = Collector(self._app)
        while not self._app.control.inspect(timeout=1.0, limit=1).ping():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no Celery worker answered within {timeout:g} s")
        while not self._collector.hear(0.5):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no Celery worker's event arrived within {timeout:g} s")

    def _reach(self) -> None:
        if not self._reached:
            reach(self._app)
            self._reached = True

    def start(self, variant: str, run_id: str) -> str:
        """Start a variant or a workload; returns the id of its last task, or of its group.

        Raises:
            UsageError: there is no such variant, the run id cannot be used, or the broker or the
                result backend did not answer when this client began.
        """
        workload = parse(variant)
        module = workloads if workload else import_module(f"celery_impl.{named(variant).name}")
        self._reach()
        steps.begin_run(run_id, variant, self.name)
        started_at = time.time()
        result = module.start(run_id, *(workload or ()))
        if isinstance(result, GroupResult):
            # So that any process can tell from the id alone that there is nothing to wait for.
            result.save()
        # The ids, not the results: while a result object lives, Celery has each state of its task
        # sent here, and nobody reads those of a header's members.
        self._executions[result.id] = _Execution(
            run_id, started_at, isinstance(result, GroupResult), tuple(_before(result))
        )
        return str(result.id)

    def wait(self, execution_id: str, timeout: float) -> Outcome:
        """Wait for the last task; a group, whose results nobody collects, is over when sent.

        Raises:
            UsageError: the broker or the result backend does not answer.
            TimeoutError: it has not ended, which is also what it looks like when a task before it
                was lost.
        """
        self._reach()
        if self._is_group(execution_id):
            return Outcome()
        # Asked without its parents: `get()` on the chord itself looks at every member of the
        # header again whenever one of them reports.
        awaited: AsyncResult[Any] = AsyncResult(execution_id, app=self._app)
        deadline = time.monotonic() + timeout
        pause = _LOOK_BACK
        try:
            while True:
                left = deadline - time.monotonic()
                with contextlib.suppress(CeleryTimeoutError):
                    return self._outcome(
                        awaited.get(timeout=max(min(pause, left), 0.01), propagate=False)
                    )
                revoked = self._revoked_before(execution_id)
                if revoked is not None:
                    return self._outcome(revoked)
                if left <= 0:
                    raise TimeoutError(f"{execution_id} has not ended in {timeout:g} s")
                pause *= 2
        finally:
            backend: Any = self._app.backend
            backend.remove_pending_result(awaited)  # a wait that was given up is kept otherwise

    def _is_group(self, execution_id: str) -> bool:
        known = self._executions.get(execution_id)
        if known is not None:
            return known.is_group
        return GroupResult.restore(execution_id, app=self._app) is not None

    def _revoked_before(self, execution_id: str) -> BaseException | None:
        """The error of a task without which the awaited one will never run.

        A failure is stored for every task that depends on it; a revoked or expired task is not,
        and its successors stay pending for ever.
        """
        known = self._executions.get(execution_id)
        for task_id in known.before if known is not None else ():
            result: Any = AsyncResult(task_id, app=self._app)
            if result.state == "REVOKED":
                error: BaseException = result.result
                return error
        return None

    def _outcome(self, value: Any) -> Outcome:
        if not isinstance(value, BaseException):
            return Outcome(total_pages=value)
        error, wrapped_in = value, None
        dependency = _DEPENDENCY.match(str(value)) if isinstance(value, ChordError) else None
        if dependency is not None:
            # The body's error names the member that failed; the member's own error is the cause.
            error = AsyncResult(dependency[1], app=self._app).result
            wrapped_in = type(value).__name__
        return Outcome(
            error_type=type(error).__name__, error_text=str(error), wrapped_in=wrapped_in
        )

    def spans(self, execution_id: str) -> list[TaskSpan]:
        """The attempts of the execution's tasks; `worker` is `<node>/<pid of the pool's process>`.

        From Celery's events, which only reach who is listening: those of executions started by
        this client after `wait_for_worker`.
        """
        known = self._executions.get(execution_id)
        if known is None or self._collector is None:
            return []
        return self._collector.spans(known.run_id, since=known.started_at)

    def health(self) -> Health:
        """Broker, workers, queue, and runs that stand still with something missing."""
        return look(self._app)

    def close(self) -> None:
        """Stop listening. The app and its connections belong to the process."""
        if self._collector is not None:
            self._collector.stop()
        self._executions.clear()
        if not self._reached:
            return  # nothing was asked of a backend, which may be none
        # A result that is let go of unsubscribes: after the server's end that is 20 s of retries
        # and an error that nobody can catch. Results refer to themselves through their promises,
        # so they go when the collector comes by; this is the moment for it. What somebody still
        # holds is forgotten here: its subscription ends with the connection.
        gc.collect()
        consumer: Any = getattr(self._app.backend, "result_consumer", None)
        getattr(consumer, "subscribed_to", set()).clear()
