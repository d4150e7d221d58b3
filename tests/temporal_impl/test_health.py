"""What `health` says about a server with and without a worker, and about what is stuck."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from shared.cli import run
from temporal_impl import health
from temporal_impl.__main__ import app
from temporal_impl.client import Client
from temporal_impl.connection import connect
from tests.temporal_impl.stage import Stage, until

pytestmark = pytest.mark.servers


def test_a_worker_at_work_is_healthy(client: Client) -> None:
    until(lambda: client.health().queued == 0)  # the server counts with some delay
    until(lambda: len(client.health().workers) >= 1)  # a busy machine holds up heartbeats
    found = client.health()
    assert found.reachable
    assert found.running is not None


def test_a_killed_worker_is_not_counted_for_long(client: Client, server: Stage) -> None:
    until(lambda: len(client.health().workers) >= 1)
    before = set(client.health().workers)
    with server.worker(1) as worker:
        until(lambda: len(set(client.health().workers)) == len(before) + 1)
        worker.kill()
    until(lambda: set(client.health().workers) == before)


@workflow.defn(name="broken")
class Broken:
    """A bug in a workflow fails its task again and again, not the workflow."""

    @workflow.run
    async def run(self) -> None:
        raise ValueError("a bug")


async def run_broken(client: Client) -> None:
    temporal = await connect()
    async with Worker(
        temporal,
        task_queue="broken",
        workflows=[Broken],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await temporal.start_workflow(Broken.run, id="broken", task_queue="broken")
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(health, "TASK_QUEUE", "broken")
                await asyncio.to_thread(until, lambda: "broken: its workflow task" in stuck(client))
            # What others run in the namespace is not for us to judge.
            assert "broken" not in await asyncio.to_thread(stuck, client)
        finally:
            await handle.terminate()


def stuck(client: Client) -> str:
    return " ".join(client.health().stuck)


def test_a_workflow_whose_task_fails_again_and_again_is_stuck(
    server: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STUCK_ATTEMPTS", 2)
    asyncio.run(run_broken(server.client))


def test_a_workflow_that_is_open_for_too_long_is_stuck(
    server: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("client", "health"):
        monkeypatch.setattr(f"temporal_impl.{module}.TASK_QUEUE", "nobody-listens")
    monkeypatch.setattr(health, "STUCK_AFTER", timedelta(0))
    server.client.start("starmap", "old")
    until(lambda: "starmap/old: open for 0.0 hours" in stuck(server.client))


def test_the_command_exits_with_1_where_nobody_works(
    monkeypatch: pytest.MonkeyPatch, server: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health, "TASK_QUEUE", "nobody-listens")
    with pytest.raises(SystemExit) as ended:
        run(app, "python -m temporal_impl", ["health"])
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "temporal: reachable, namespace default, queue nobody-listens" in told
    assert "workers: NONE" in told
