"""The sweep: what the database lacks is made up, what is at work is let alone."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import ScheduleOverlapPolicy

from shared import steps
from shared.recovery import find_gaps
from shared.settings import settings
from temporal_impl.client import ENGINE, Client
from temporal_impl.connection import connect
from temporal_impl.sweep import EVERY, SCHEDULE_ID, ensure_schedule, run_sweep
from tests.temporal_impl.stage import PAGES, STATIONS, Stage, executed, rolls, until

pytestmark = pytest.mark.servers


def lacking() -> set[str]:
    return {gap.run_id for gap in find_gaps(ENGINE, 0)}


def test_a_lost_file_is_printed_again(client: Client) -> None:
    client.wait(client.start("chain", "lost"), 300)
    (settings().rolls_dir / "lost" / f"{STATIONS[1]}.pdf").unlink()
    # The server lists the workflow as running for a moment after its end.
    until(lambda: "lost" in run_sweep(0, once=True))
    assert client.wait("repair/lost", 300).total_pages == 1
    assert rolls("lost") == [f"{station}.pdf" for station in STATIONS]
    assert executed("lost")[steps.GENERATE, STATIONS[1]] == 2
    assert executed("lost")[steps.GENERATE, STATIONS[0]] == 1
    assert "lost" not in lacking()


@pytest.mark.parametrize("variant", ["chain", "group", "parallel_with_join"])
def test_a_run_that_was_entered_and_never_started_is_made_up(client: Client, variant: str) -> None:
    run_id = f"never-{variant}"
    steps.begin_run(run_id, variant, ENGINE)
    assert run_id in run_sweep(0, once=True)
    assert client.wait(f"repair/{run_id}", 300).total_pages == len(STATIONS)
    assert run_id not in lacking()
    assert sum(steps.printed_pages(run_id)) == PAGES


def test_what_is_at_work_is_let_alone(server: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes work from this queue: the workflow stays open for as long as we look."""
    monkeypatch.setattr("temporal_impl.client.TASK_QUEUE", "nobody-listens")
    server.client.start("chord_by_station", "waiting")
    assert "waiting" in lacking()
    until(lambda: "waiting" not in run_sweep(0, once=True))
    assert executed("waiting").total() == 0


def test_the_schedule_is_set_up_once_and_sweeps(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.begin_run("scheduled", "group", ENGINE)
    assert run_sweep(60, once=False) == []
    assert SCHEDULE_ID in capsys.readouterr().out
    asyncio.run(again_and_at_once())
    until(lambda: "scheduled" not in lacking())


async def again_and_at_once() -> None:
    temporal = await connect()
    handle = temporal.get_schedule_handle(SCHEDULE_ID)
    try:
        assert (await handle.describe()).schedule.spec.intervals[0].every == EVERY
        await ensure_schedule(temporal, older_than=0, every=timedelta(seconds=1))
        schedule = (await handle.describe()).schedule
        assert schedule.spec.intervals[0].every == timedelta(seconds=1)
        assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        while not (await handle.describe()).info.recent_actions:
            await asyncio.sleep(0.1)
    finally:
        await handle.delete()
