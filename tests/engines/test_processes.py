"""The pool of processes that workers of all engines have their tasks done in."""

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offcanvas.engines.processes.pool import OutOfTimeError, ProcessLostError, process_pool
from offcanvas.errors import EngineError
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


async def test_a_limit_begins_with_the_work_and_not_with_the_process(monkeypatch):
    monkeypatch.setenv(apart.SLOW, "1")
    async with process_pool(1, TARGET, {}) as pool:
        with pytest.raises(OutOfTimeError):
            await pool.do(time.sleep, 20, limit=0.5)
        # Another one has to begin first, which takes longer than the limit.
        assert await pool.do(abs, -1, limit=0.5) == 1


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


class NeedsTwoError(Exception):
    """Pickle has one argument for it."""

    def __init__(self, one, two):
        super().__init__(one)
        self.two = two


def needs_two():
    raise NeedsTwoError("this", "that")


def forks_and_hangs(path):
    forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    forked.start()
    Path(path).write_text(str(forked.pid))
    time.sleep(600)


async def test_whatever_is_asked_and_answered_may_be_large():
    large = "x" * 5_000_000
    async with process_pool(1, TARGET, {}) as pool:
        assert json.loads(await pool.do(json.dumps, large)) == large


async def test_an_error_comes_back_with_where_it_was_raised():
    async with process_pool(1, TARGET, {}) as pool:
        with pytest.raises(json.JSONDecodeError) as caught:
            await pool.do(json.loads, "[1, ")
        assert "raw_decode" in caught.value.__notes__[0]
        with pytest.raises(EngineError, match="NeedsTwoError: this"):
            await pool.do(needs_two)
        assert await pool.do(abs, -1) == 1


@pytest.mark.parametrize("leave", [sys.exit, os.abort])
async def test_a_process_that_ends_is_lost_and_there_is_another(leave):
    async with process_pool(1, TARGET, {}) as pool:
        before = await pool.do(os.getpid)
        with pytest.raises(ProcessLostError):
            await pool.do(leave)
        assert await pool.do(os.getpid) != before


async def test_a_process_that_has_forked_can_be_killed(tmp_path):
    async with process_pool(1, TARGET, {}) as pool:
        with pytest.raises(OutOfTimeError):
            await pool.do(forks_and_hangs, str(tmp_path / "forked"), limit=3)
        forked = int((tmp_path / "forked").read_text())
        assert await pool.do(abs, -1) == 1
        # What it has forked lives on, and does not keep the connection.
        os.kill(forked, signal.SIGKILL)


async def test_cancelled_twice_a_caller_leaves_no_process_with_an_answer_for_the_next():
    async with process_pool(1, TARGET, {}) as pool:
        before = await pool.do(os.getpid)
        doing = asyncio.create_task(pool.do(time.sleep, 20))
        for _ in range(3):
            await asyncio.sleep(0)  # it has begun
        doing.cancel()
        await asyncio.sleep(0)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert await pool.do(os.getpid) != before


async def test_as_many_calls_as_processes_are_at_work():
    async with process_pool(2, TARGET, {}) as pool:
        pids = await asyncio.gather(*(pool.do(os.getpid) for _ in range(2)))
        assert len(set(pids)) == 2


#: Prints which of these modules a new process has, and what the fork server can see of the URL.
FORKED = """
import asyncio
from offcanvas.engines.processes.pool import process_pool
from tests.engines.test_processes import imported

async def main():
    settings = {"result_backend": "redis://:secret@127.0.0.1:1/0"}
    async with process_pool(1, "tests.engines.apart:app", settings) as pool:
        print(*await pool.do(imported))

asyncio.run(main())
"""


def imported():
    environment = Path(f"/proc/{os.getppid()}/environ").read_text()
    found = [name for name in ("redis", "kombu.transport.redis", "prefect") if name in sys.modules]
    return [*found, "secret" in environment]


def test_a_new_process_has_the_driver_of_the_results_already():
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["redis", "kombu.transport.redis", "False"]
