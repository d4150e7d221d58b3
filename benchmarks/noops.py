"""An app of tasks that do nothing, and a Temporal worker for it.

python -m benchmarks.noops ADDRESS TASK_QUEUE PROCESSES
"""

import asyncio
import os
import signal
import sys

from celery import Celery

app = Celery("noops", broker="memory://", backend=os.environ.get("NOOPS_RESULTS"))


@app.task
def nothing(index: int) -> int:
    """Do nothing, and count as one."""
    return 1 if index >= 0 else 0


@app.task
def count(ones: list[int]) -> int:
    """The fan-in."""
    return sum(ones)


async def work(address: str, task_queue: str, processes: int) -> None:
    """Work until SIGTERM."""
    from temporalio.client import Client
    from temporalio.worker import Worker

    from benchmarks.noops import app as importable
    from offcanvas.engines.temporal import CanvasPlugin

    client = await Client.connect(address)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    plugin = CanvasPlugin(importable, processes=processes)
    async with Worker(client, task_queue=task_queue, plugins=[plugin]):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
