"""The worker: takes workflow tasks and activities from the server until it is told to stop.

`max_concurrent_activities` and the number of processes are the same N, so that `--concurrency N`
means N steps at a time, each in a process of its own.

What was measured at concurrency 2 (400 no-op activities; temporalio 1.35.0, dev server 1.32, two
cores, November 2026; the machine was shared, so read nothing into less than a factor of two):
sticky cache off, 33 to 65 a second against 110 to 182, and three times the CPU: it stays on.
Eager activities off, or pollers that scale themselves: no difference, so the SDK's defaults.
Ten to 400 activities in flight: no difference, so 100 (`temporal_impl.fan_out`). Local
activities would save a round trip, but are not seen by the server until they end, and the steps
here are the work itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from concurrent.futures import BrokenExecutor
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from shared import metrics
from shared.policy import STEP
from temporal_impl.activities import Activities
from temporal_impl.connection import connect
from temporal_impl.counting import ENGINE, Counting
from temporal_impl.heartbeat import Heartbeats
from temporal_impl.options import HEARTBEAT_INTERVAL, TASK_QUEUE, WORKER_HEARTBEAT
from temporal_impl.pool import Pool, process_pool
from temporal_impl.registry import WORKFLOWS
from temporal_impl.sweep import EVERY, SCHEDULE_ID, requeue
from temporal_impl.telemetry import measured_runtime

log = logging.getLogger(__name__)

# Shown beside each worker; raised by hand when a change is worth telling workers apart.
BUILD_ID = "1"
# What `activity.defn` leaves on a function.
_DEFINITION = "__temporal_activity_definition"


def run_worker(concurrency: int) -> None:
    """Work in the foreground until SIGTERM or Ctrl-C; the steps in hand end first.

    Raises:
        UsageError: the server's address is not set, or nothing answers there.
    """
    asyncio.run(_work(concurrency))


async def _work(concurrency: int) -> None:
    stop = asyncio.Event()
    # The SDK installs no handler of its own (temporalio/sdk-python issue 367).
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await connect(measured_runtime(WORKER_HEARTBEAT))
    _begin_counts()
    while not stop.is_set():
        with process_pool(concurrency) as pool:
            log.info("working on %s with %d processes", TASK_QUEUE, concurrency)
            try:
                await _work_until(stop, make_worker(client, pool, concurrency))
            except RuntimeError as error:
                # The SDK ends a worker whose pool is broken: one process was killed, most often
                # for its memory. Its step is tried again; the pool and the worker are made anew.
                if not isinstance(error.__cause__, BrokenExecutor):
                    raise
                log.warning("a process of the pool died: starting a new pool")


def _begin_counts() -> None:
    meter = metrics.meter()
    if meter is None:
        return
    activities = [name for name, one in vars(Activities).items() if hasattr(one, _DEFINITION)]
    meter.knows(ENGINE, [*activities, requeue.__name__])
    meter.schedule(ENGINE, SCHEDULE_ID, EVERY.total_seconds())


def make_worker(client: Client, pool: Pool, concurrency: int) -> Worker:
    """A worker of this project's task queue, not yet running."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=[*Activities(pool).all, requeue],
        max_concurrent_activities=concurrency,
        # Without a build id the SDK makes one of the text of every imported module, which takes
        # longer than all else at the start.
        deployment_config=WorkerDeploymentConfig(
            WorkerDeploymentVersion(TASK_QUEUE, BUILD_ID), use_worker_versioning=False
        ),
        interceptors=[Counting(), Heartbeats()],
        max_heartbeat_throttle_interval=HEARTBEAT_INTERVAL,
        # A short step always ends within its time limit. A long one is cancelled when that has
        # passed, ends after the roll in hand, and goes on elsewhere (`temporal_impl.progress`).
        graceful_shutdown_timeout=timedelta(seconds=STEP.time_limit),
    )


async def _work_until(stop: asyncio.Event, worker: Worker) -> None:
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        log.info("stopping: the steps in hand end first")
        await worker.shutdown()
    await running
