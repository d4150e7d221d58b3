"""Worker processes that are told to stop, and processes of theirs that die."""

import itertools
import os
import signal
from collections.abc import Iterator, Sequence

import psutil
import pytest

from shared.steps import GENERATE
from tests.temporal_impl.stage import PAGES, STATIONS, Stage, effects, executed, stage, until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server of their own: these tests count the workers that take its work."""
    with stage(tmp_path_factory.mktemp("workers")) as started:
        yield started


def test_sigterm_lets_the_steps_in_hand_end_and_the_next_worker_goes_on(server: Stage) -> None:
    with server.worker(1) as first:
        execution = server.client.start("fib33:8", "stopped")
        children = psutil.Process(first.pid).children(True)
        started = [first.pid, *(child.pid for child in children)]
        until(lambda: len(server.client.spans(execution)) >= 1)
        # A step that the server hands out while the worker closes its poll is lost on the way and
        # tried again: that is Temporal's to mend. So the signal waits for a step at work.
        before = _processor_time(children)
        until(lambda: _processor_time(children) > before + 0.05)
        first.send_signal(signal.SIGTERM)
        assert first.wait(300) == 0
    until(lambda: not any(psutil.pid_exists(pid) for pid in started))
    done = server.client.spans(execution)
    with server.worker(1):
        assert server.client.wait(execution, 300).total_pages == 8
    spans = server.client.spans(execution)
    assert spans[: len(done)] == done
    assert [span.attempt for span in spans] == [1] * 8
    assert len({span.worker for span in spans}) == 2


def _processor_time(processes: Sequence[psutil.Process]) -> float:
    return sum(process.cpu_times().user for process in processes)


def test_a_process_that_is_killed_costs_an_attempt_and_no_more(server: Stage) -> None:
    with server.worker(2) as worker:
        server.client.wait(server.client.start("chord_by_station", "before"), 300)
        processes = {int(effect.worker.split(":")[1]) for effect in effects("before")}
        assert worker.pid not in processes
        os.kill(processes.pop(), signal.SIGKILL)
        execution = server.client.start("chord_by_station", "after")
        assert server.client.wait(execution, 300).total_pages == PAGES
        assert worker.poll() is None
    done = executed("after")
    assert all(done[GENERATE, station] >= 1 for station in STATIONS)


def test_concurrency_one_is_one_step_at_a_time(server: Stage) -> None:
    with server.worker(1):
        server.client.wait(server.client.start("chord_by_station", "one"), 300)
    in_order = sorted(effects("one"), key=lambda effect: effect.started_at)
    assert len({effect.worker for effect in in_order}) == 1
    for before, after in itertools.pairwise(in_order):
        assert before.finished_at <= after.started_at
