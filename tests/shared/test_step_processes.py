"""The step processes: as many as asked for, deaf to Ctrl-C, and gone with their worker."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shared.step_processes import start_processes

ROOT = Path(__file__).resolve().parents[2]
PRELOAD = "shared.policy"  # any small module will do

pytestmark = pytest.mark.servers

# The parent prints its processes and stays until it is killed.
PARENT = f"""
import time
from shared.step_processes import start_processes
if __name__ == "__main__":
    with start_processes(2, "{PRELOAD}") as executor:
        print(*executor._processes, flush=True)
        time.sleep(60)
"""


def interrupt_oneself() -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return os.getpid()


def test_all_are_there_and_leave_ctrl_c_to_the_worker() -> None:
    with start_processes(2, PRELOAD) as executor:
        there = set(executor._processes)
        assert len(there) == 2
        assert executor.submit(interrupt_oneself).result() in there
        assert set(executor._processes) == there


def test_they_end_with_a_worker_that_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 300
    while any(child.is_running() and child.status() != "zombie" for child in children):
        assert time.monotonic() < deadline, "a step process outlived its worker"
        time.sleep(0.05)
