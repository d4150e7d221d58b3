"""The pool of processes that workers of all engines have their tasks done in."""

import asyncio
import time

import pytest

from offcanvas.engines.processes.pool import OutOfTimeError, process_pool
from tests.engines import apart

TARGET = "tests.engines.apart:app"


async def test_a_limit_holds_while_the_worker_stops():
    async with process_pool(1, TARGET, {}) as pool:
        doing = asyncio.create_task(pool.do(time.sleep, 20, limit=0.5, patient=lambda: True))
        for _ in range(3):
            await asyncio.sleep(0)  # it has begun
        doing.cancel()
        with pytest.raises(OutOfTimeError, match=r"after 0\.5 s"):
            await doing
        assert await pool.do(abs, -1) == 1


async def test_work_may_end_when_its_caller_is_patient():
    async with process_pool(1, TARGET, {}) as pool:
        doing = asyncio.create_task(pool.do(abs, -1, patient=lambda: True))
        for _ in range(3):
            await asyncio.sleep(0)
        doing.cancel()
        assert await doing == 1


async def test_processes_say_that_they_begin_and_end(monkeypatch, tmp_path):
    path = tmp_path / "signals"
    monkeypatch.setenv(apart.PROCESSES, str(path))
    async with process_pool(1, TARGET, {}):
        assert path.read_text() == "begun\n"
    assert path.read_text() == "begun\nended\n"
