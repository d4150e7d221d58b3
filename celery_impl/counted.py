"""What a Celery worker counts of its tasks, in its main process; imported by workers only.

The reference and the kit each have this file; a test compares the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]  # not in the stubs
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from celery_impl.stamp import due
from shared import metrics
from shared.metrics.vocabulary import FAILED, LEFT, LOST, RETRIED, REVOKED, SUCCEEDED, TIMED_OUT

ENGINE = "celery"


class CountedRequest(Request):
    """A worker's request that is counted: begun, and ended in one of the states.

    The main process hears of every end, also of tasks whose process was killed.
    """

    _end: Callable[..., None] | None = None

    def __init_subclass__(cls, **given: Any) -> None:
        """Celery makes a subclass for each task, whose `on_success` does not call this class's."""
        super().__init_subclass__(**given)
        if "on_success" in vars(cls):
            cls.on_success = _counted(cls.on_success)  # type: ignore[method-assign]  # see above

    @property
    def counted_as(self) -> str:
        """The task's name in the metrics."""
        return str(self.name)

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        """A process has the task."""
        super().on_accepted(pid, time_accepted)
        meter = metrics.meter()
        if meter is not None:
            sent = due(self.request_dict)
            waited = None if sent is None else time.time() - sent
            self._end = meter.begun(ENGINE, self.counted_as, waited)

    def succeeded(self, shown: str) -> None:
        """The task has returned something; `shown` is that as text."""
        del shown
        self._count(SUCCEEDED)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """The soft limit lets the task go on; the hard one has ended it."""
        super().on_timeout(soft, timeout)
        if not soft:
            self._count(TIMED_OUT)

    def on_failure(
        self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False
    ) -> Any:
        """The task has raised something, or its process has died."""
        try:
            return super().on_failure(exc_info, send_failed_event, return_ok)
        finally:
            error = _raised(exc_info.exception)
            if isinstance(error, WorkerLostError | SystemExit | KeyboardInterrupt):
                task = self.task
                self._count(LOST, again=bool(task.acks_late and task.reject_on_worker_lost))
            elif isinstance(error, Retry):
                self._count(RETRIED)
            elif isinstance(error, TimeLimitExceeded):
                self._count(TIMED_OUT)
            elif isinstance(error, Ignore | Reject):
                self._count(LEFT, again=_requeued(error))
            else:
                self._count(REVOKED if _terminated(error) else FAILED)

    def _announce_revoked(self, *args: Any, **given: Any) -> None:
        super()._announce_revoked(*args, **given)  # type: ignore[misc]  # the stubs leave it out
        meter = metrics.meter()
        if self._end is not None:
            self._count(REVOKED)
        elif meter is not None:
            meter.ended(ENGINE, self.counted_as, REVOKED)

    def _announce_cancelled(self, *args: Any, **given: Any) -> None:
        """The connection broke, and the broker delivers the message again."""
        super()._announce_cancelled(*args, **given)  # type: ignore[misc]  # the stubs leave it out
        self._count(LOST, again=True)

    def _count(self, state: str, *, again: bool = False) -> None:
        if self._end is not None:
            self._end(state, again=again)


def _counted(on_success: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(on_success)
    def counted(self: CountedRequest, told: Any, **given: Any) -> Any:
        answer = on_success(self, told, **given)  # an error goes on to on_failure
        failed, shown, _ = told
        if not failed:
            self.succeeded(str(shown))
        return answer

    return counted


def _raised(error: Any) -> BaseException:
    unwrapped: BaseException = error.exc if isinstance(error, ExceptionWithTraceback) else error
    return unwrapped


def _terminated(error: BaseException) -> bool:
    return type(error).__name__ == "Terminated"


def _requeued(error: BaseException) -> bool:
    return isinstance(error, Reject) and bool(getattr(error, "requeue", False))
