"""Steps, counted where they begin and end: in the worker itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.client.schemas.objects import TaskRun

from prefect_impl.names import ENGINE
from prefect_impl.processes import StepProcessLost, StepTimedOut, WorkerStopping
from shared import metrics
from shared.errors import TRANSIENT
from shared.metrics.vocabulary import FAILED, LEFT, LOST, RETRIED, SUCCEEDED, TIMED_OUT
from shared.policy import StepPolicy


@contextmanager
def counted(task_run: TaskRun, step: str, policy: StepPolicy) -> Iterator[Callable[[], None]]:
    """Counts the attempt inside the block; yields what is to be called when a process has it.

    A first attempt was sent when the flow has called the task, a further one when it was due.
    """
    meter = metrics.meter()
    if meter is None:
        yield lambda: None
        return
    created = task_run.expected_start_time if task_run.run_count == 1 else None
    sent = time.time() if created is None else created.timestamp()
    ended: list[Callable[..., None]] = []

    def begun() -> None:
        ended.append(meter.begun(ENGINE, step, time.time() - sent))

    state, again = LEFT, False
    try:
        yield begun
        state = SUCCEEDED
    except Exception as error:
        again = _passes(error) and task_run.run_count <= policy.retries
        state = _state(error, again=again)
        raise
    finally:
        for end in ended:
            end(state, again=again)


def _passes(error: Exception) -> bool:
    """As `prefect_impl.options.is_transient` decides."""
    return isinstance(error, (*TRANSIENT, StepProcessLost)) and not isinstance(error, StepTimedOut)


def _state(error: Exception, *, again: bool) -> str:
    if isinstance(error, StepProcessLost):
        return LOST
    if isinstance(error, StepTimedOut):
        return TIMED_OUT
    if isinstance(error, WorkerStopping):
        return LEFT
    return RETRIED if again else FAILED
