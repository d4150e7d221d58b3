"""The worker's processes: errors that cross over, cancelled callers, and what outlives what."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from temporal_impl.pool import Pool, process_pool
from tests.temporal_impl.stage import until

pytestmark = pytest.mark.servers


class Spoiled(Exception):  # noqa: N818 - reads as the fact it reports
    """Cannot be unpickled: its constructor wants more than its message."""

    def __init__(self, reason: str, place: str) -> None:
        super().__init__(f"{reason} at {place}")


def spoil() -> None:
    raise Spoiled("mould", "the rim")


def refuse() -> None:
    raise ConnectionResetError("try later")


def linger(path: Path) -> None:
    path.with_suffix(".begun").touch()
    time.sleep(0.3)
    path.touch()


def spin() -> None:
    while True:
        pass


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with process_pool(2) as made:
        yield made


async def test_each_call_is_done_by_another_process(pool: Pool) -> None:
    pids = await asyncio.gather(*(pool.do(os.getpid) for _ in range(6)))
    assert os.getpid() not in pids
    assert len(set(pids)) <= 2


async def test_an_error_that_cannot_be_unpickled_is_told_and_the_pool_lives(pool: Pool) -> None:
    with pytest.raises(ApplicationError, match="mould at the rim") as caught:
        await pool.do(spoil)
    assert (caught.value.type, caught.value.non_retryable) == ("Spoiled", True)
    assert await pool.do(partial(sum, [1, 2])) == 3


async def test_a_transient_error_may_be_retried(pool: Pool) -> None:
    with pytest.raises(ApplicationError) as caught:
        await pool.do(refuse)
    assert (caught.value.type, caught.value.non_retryable) == ("ConnectionResetError", False)


async def test_a_cancelled_caller_is_told_when_the_process_has_ended_its_work(
    pool: Pool, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    caller = asyncio.create_task(pool.do(partial(linger, ended)))
    await asyncio.to_thread(until, ended.with_suffix(".begun").exists)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.exists()


async def test_a_step_that_hangs_is_ended_and_its_process_works_on() -> None:
    with process_pool(1, soft_time_limit=1.5) as pool:
        before = await pool.do(os.getpid)
        with pytest.raises(ApplicationError, match=r"more than 1\.5 s") as caught:
            await pool.do(spin)
        assert (caught.value.type, caught.value.non_retryable) == ("SoftTimeLimitExceeded", True)
        assert await pool.do(os.getpid) == before


async def test_a_process_that_dies_breaks_the_pool() -> None:
    with process_pool(1) as pool, pytest.raises(BrokenExecutor):
        await pool.do(die)
