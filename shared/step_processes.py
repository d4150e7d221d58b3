"""The processes that execute a worker's steps, for the engines that bring none of their own.

They come from a fork server, not from the worker: a process forked from one that is full of threads
can deadlock. The fork server has imported the steps, so that a process is there in milliseconds;
each makes its own database engine (`shared.database.engine`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext


def start_processes(count: int, preload: str) -> ProcessPoolExecutor:
    """Start `count` processes and return when all are there.

    Args:
        count: processes.
        preload: the module with the steps, which the fork server imports once for all.

    Raises:
        concurrent.futures.BrokenExecutor: a process could not be started.
    """
    executor = ProcessPoolExecutor(count, mp_context=_context(preload), initializer=_settle_in)
    try:
        # More calls than idle processes: the pool starts one for each that has to wait.
        for call in [executor.submit(os.getpid) for _ in range(count)]:
            call.result()
    except BaseException:
        executor.shutdown(cancel_futures=True)
        raise
    return executor


def _context(preload: str) -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    return context


def _settle_in() -> None:
    """Begin a process: leave Ctrl-C to the worker, and do not outlive it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_worker, name="end-with-worker", daemon=True).start()


def _end_with_the_worker() -> None:
    worker = multiprocessing.parent_process()
    if worker is not None:
        wait([worker.sentinel])
        os._exit(1)
