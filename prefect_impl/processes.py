"""The worker's processes: N of them, in which the steps are executed, one at a time in each.

Prefect's own ways to N processes were measured first (see `prefect_impl.worker`); here Prefect
orchestrates in threads, which is what its threads are good at, and a step crosses over to one of
these processes (`shared.step_processes`), which know nothing of Prefect and are therefore small and
there at once.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from types import FrameType
from typing import ParamSpec, TypeVar

from shared.policy import StepPolicy
from shared.step_processes import start_processes

P = ParamSpec("P")
R = TypeVar("R")


class StepTimedOut(TimeoutError):  # noqa: N818 - reads as the fact it reports
    """The step was at work for longer than its policy allows; trying again would not help."""


class StepProcessLost(Exception):  # noqa: N818 - reads as the fact it reports
    """The step's process died (killed, out of memory): worth another try in a new one."""


class WorkerStopping(Exception):  # noqa: N818 - reads as the fact it reports
    """The worker is about to stop: the step was not begun."""


class StepProcesses:
    """N processes; `call` may be used from any thread."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = threading.BoundedSemaphore(count)
        self._lock = threading.Lock()
        self._executor = self._start()
        self.closed = False

    def _start(self) -> ProcessPoolExecutor:
        self._others = set(multiprocessing.active_children())
        return start_processes(self._count, "prefect_impl.work")

    def call(
        self, policy: StepPolicy, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do `call_step` with a function and its arguments."""
        return self.call_step(policy, partial(function, *args, **kwargs))

    def call_step(
        self, policy: StepPolicy, step: partial[R], begun: Callable[[], None] = lambda: None
    ) -> R:
        """Wait for a free process, execute the step there, and return what it returns.

        Both of the policy's time limits count from the moment a process is free. At the soft one
        the step is interrupted; one that does not heed it is killed at the hard one, and its
        siblings in hand with it, since a pool that has lost a process is given up: they come back
        as `StepProcessLost`. `begun` is called when there is a process.

        Raises:
            WorkerStopping: no further step is begun.
            StepTimedOut: a time limit has passed.
            StepProcessLost: the process has died.
            Exception: whatever the step raises.
        """
        name = step.func.__name__
        with self._free:
            if self.closed:
                raise WorkerStopping(f"{name} was not begun: the worker stops")
            begun()
            future = self._submit(policy.soft_time_limit, step)
            try:
                return future.result(policy.time_limit)
            except BrokenProcessPool as error:
                raise StepProcessLost(f"the process of {name} died") from error
            except TimeoutError:
                if future.done():  # the step's own error
                    raise
                self.kill()
                raise StepTimedOut(f"{name} was killed after {policy.time_limit:g} s") from None

    def _submit(self, limit: float, step: partial[R]) -> Future[R]:
        with self._lock:
            try:
                return self._executor.submit(_limited, limit, step)
            except BrokenProcessPool:
                self._executor.shutdown(wait=False)
                self._executor = self._start()
                return self._executor.submit(_limited, limit, step)

    def kill(self) -> None:
        """Kill all processes and start new ones."""
        with self._lock:
            for process in set(multiprocessing.active_children()) - self._others:
                process.kill()
            self._executor.shutdown(wait=True)
            self._executor = self._start()

    def close_gate(self) -> None:
        """Begin no further step; those in hand go on."""
        self.closed = True

    def close(self) -> None:
        """Let the steps in hand end, and the processes with them."""
        self._executor.shutdown(wait=True)


def _limited(limit: float, step: partial[R]) -> R:
    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise StepTimedOut(f"{step.func.__name__} was interrupted after {limit:g} s")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        return step()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
