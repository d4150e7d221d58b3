"""The step processes, without Prefect."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prefect_impl.processes import StepProcesses, StepProcessLost, StepTimedOut, WorkerStopping
from shared.errors import UnknownStation
from shared.policy import STEP, StepPolicy

pytestmark = pytest.mark.servers


@pytest.fixture
def processes() -> Iterator[StepProcesses]:
    found = StepProcesses(2)
    yield found
    found.close()


def meet(folder: Path) -> int:
    """Return once another process is here, too."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 120
    while len(list(folder.iterdir())) < 2:
        if time.monotonic() > deadline:
            raise TimeoutError("nobody came")
        time.sleep(0.01)
    return os.getpid()


def object_() -> None:
    raise UnknownStation("nobody there")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deaf() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(60)


def test_each_step_has_a_process_of_its_own(processes: StepProcesses, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        pids = set(threads.map(lambda _: processes.call(STEP, meet, tmp_path), range(2)))
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_steps_own_error_arrives_as_it_was(processes: StepProcesses) -> None:
    with pytest.raises(UnknownStation, match="nobody there"):
        processes.call(STEP, object_)


def test_a_killed_process_is_told_and_replaced(processes: StepProcesses) -> None:
    with pytest.raises(StepProcessLost, match="the process of die died"):
        processes.call(STEP, die)
    assert processes.call(STEP, os.getpid) != os.getpid()


def test_the_soft_limit_interrupts(processes: StepProcesses) -> None:
    before = processes._executor
    with pytest.raises(StepTimedOut, match=r"sleep was interrupted after 0\.2 s"):
        processes.call(StepPolicy(soft_time_limit=0.2), time.sleep, 60)
    assert processes.call(STEP, os.getpid) != os.getpid()
    assert processes._executor is before  # no process had to die for it


def test_the_hard_limit_kills(processes: StepProcesses) -> None:
    with pytest.raises(StepTimedOut, match="deaf was killed after 4 s"):
        processes.call(StepPolicy(soft_time_limit=2, time_limit=4), deaf)
    assert processes.call(STEP, os.getpid) != os.getpid()


def test_after_the_gate_is_closed_nothing_begins(processes: StepProcesses) -> None:
    processes.close_gate()
    with pytest.raises(WorkerStopping, match="getpid was not begun"):
        processes.call(STEP, os.getpid)


def test_waiting_for_a_process_does_not_count(processes: StepProcesses) -> None:
    """Four steps of 1.5 s on two processes: two wait, and are no victims of their limit."""
    policy = StepPolicy(soft_time_limit=2.5)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            processes.call(policy, time.sleep, 1.5)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
