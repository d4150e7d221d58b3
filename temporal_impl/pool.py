"""The worker's processes: one for each step at a time.

The SDK can run synchronous activities in a ProcessPoolExecutor itself, with a manager process
(`SharedStateManager`) that carries heartbeats and cancellation. That was measured, and the pool
is called from coroutine activities instead: 400 no-op activities at concurrency 2 ran at 68 to 106
a second the SDK's way with 9 to 11 ms of the worker's CPU each, this way at 110 to 182 with 4 to
5 ms (temporalio 1.35.0, server 1.32, Python 3.11, two cores, November 2026). The manager's round
trips are gone, heartbeats are sent where the connection is, and a process only ever computes.

Where the processes come from: `shared.step_processes`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeVar

from shared.policy import STEP
from shared.step_processes import start_processes
from temporal_impl.failures import as_application_error

Result = TypeVar("Result")


class SoftTimeLimitExceeded(Exception):  # noqa: N818 - Celery's name for it
    """The step took longer than it may."""


class Pool:
    """Does what it is given in one of its processes.

    Temporal gives up on an activity after `start_to_close_timeout`, but cannot make its process
    stop: a step that hangs would keep its slot for good. So the process ends the step itself, as
    Celery's does at the soft time limit, with an error that is not retried.
    """

    def __init__(
        self, executor: ProcessPoolExecutor, soft_time_limit: float = STEP.soft_time_limit
    ) -> None:
        self._executor = executor
        self._limit = soft_time_limit

    async def do(self, work: Callable[[], Result]) -> Result:
        """Call `work` in a process and return its result.

        A cancelled caller is told so only when the process has ended its work: nothing can
        interrupt it, and its slot is not free before.

        Raises:
            ApplicationError: what `work` raised, to be retried or not.
            concurrent.futures.BrokenExecutor: a process died; the SDK then ends the worker.
        """
        call = asyncio.get_running_loop().run_in_executor(self._executor, _done, work, self._limit)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.wait([call])
            raise


def _done(work: Callable[[], Result], soft_time_limit: float) -> Result:
    # Errors become Temporal's here, before they cross over: one that cannot be unpickled on the
    # other side breaks the whole pool.
    try:
        with _limited(soft_time_limit):
            return work()
    except Exception as error:
        raise as_application_error(error) from error


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `SoftTimeLimitExceeded` in the block after so many seconds, where the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SoftTimeLimitExceeded(f"the step took more than {seconds:g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def process_pool(count: int, soft_time_limit: float = STEP.soft_time_limit) -> Iterator[Pool]:
    """Start `count` processes and wait until they are there; at the end they are gone.

    Args:
        count: processes.
        soft_time_limit: seconds that one call of `Pool.do` may take.

    Raises:
        concurrent.futures.BrokenExecutor: a process could not be started.
    """
    with start_processes(count, "temporal_impl.activities") as executor:
        yield Pool(executor, soft_time_limit)
