"""A Temporal worker as a user writes one: the plugin, a task queue, until it is told to stop.

python -m tests.differential.temporal_worker ADDRESS TASK_QUEUE
"""

import asyncio
import signal
import sys

from temporalio.client import Client
from temporalio.worker import Worker

from offcanvas.engines.temporal import CanvasPlugin
from tests.differential.tasks import app


async def work(address, task_queue):
    client = await Client.connect(address)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Worker(client, task_queue=task_queue, plugins=[CanvasPlugin(app, processes=2)]):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
