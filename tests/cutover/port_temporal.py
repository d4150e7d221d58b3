"""A workflow that stands for itself, as `offcanvas port` writes them: no Celery, no offcanvas."""

import asyncio
import os
from dataclasses import dataclass

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@dataclass
class ChargeInput:
    order: int
    cents: int


@workflow.defn
class Charge:
    @workflow.run
    async def run(self, given: ChargeInput) -> int:
        if given.cents < 0:
            raise ApplicationError("no money", type="Bounced", non_retryable=True)
        return 3 * given.cents


async def main():
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    queue = os.environ["PORT_QUEUE"]
    runner = UnsandboxedWorkflowRunner()
    await Worker(client, task_queue=queue, workflows=[Charge], workflow_runner=runner).run()


if __name__ == "__main__":
    asyncio.run(main())
