"""The worker beats for activities that do not, and keeps the details of those that do."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner, Worker

from temporal_impl import heartbeat
from temporal_impl.connection import connect
from temporal_impl.heartbeat import Heartbeats
from tests.temporal_impl.stage import Stage

pytestmark = pytest.mark.servers

TIMEOUT = timedelta(seconds=10)
LONGER = 14.0


@activity.defn
async def silent() -> list[Any]:
    """Lasts longer than the heartbeat timeout; returns its attempt and what it was handed."""
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("so far")
    await asyncio.sleep(LONGER if info.attempt == 1 else 0)
    return [info.attempt, *info.heartbeat_details]


@activity.defn
async def fails_late() -> list[Any]:
    """Reports, goes on silently, fails; the second attempt returns what it was handed."""
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("so far")
        await asyncio.sleep(LONGER)
        raise RuntimeError("late")
    return [info.attempt, *info.heartbeat_details]


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str) -> list[Any]:
        return await workflow.execute_activity(
            name,
            start_to_close_timeout=timedelta(seconds=120),
            heartbeat_timeout=TIMEOUT,
            retry_policy=RetryPolicy(maximum_attempts=2),
            result_type=list[Any],
        )


async def call(name: str, interceptors: list[Interceptor]) -> list[Any]:
    client = await connect()
    queue = f"{name}-{len(interceptors)}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Calls],
        activities=[silent, fails_late],
        interceptors=interceptors,
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=TIMEOUT / 20,
    ):
        return await client.execute_workflow(Calls.run, name, id=queue, task_queue=queue)


@pytest.fixture(autouse=True)
def _beats_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", TIMEOUT / 20)


async def test_the_beat_keeps_an_activity_alive_and_what_it_reported(server: Stage) -> None:
    without, with_beat, reported = await asyncio.gather(
        call("silent", []), call("silent", [Heartbeats()]), call("fails_late", [Heartbeats()])
    )
    assert without[0] == 2  # taken for dead, and tried again
    assert with_beat == [1]
    assert reported == [2, "so far"]
