"""What a worker does when it, or one of its processes, is told to stop or is killed."""

import os
import signal
import socket
import sys
from uuid import UUID

import psutil
import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Pending

from offcanvas.servers import Server
from prefect_impl.deployments import deployment_id
from prefect_impl.flow_runs import live_workers
from prefect_impl.sweep import run_sweep
from shared.contract import Outcome
from shared.database import transaction
from shared.models import Summary
from shared.steps import GENERATE, SUM, begin_run, list_stations, printed_pages
from tests.prefect_impl.stack import WITHIN, Stack, executed, wait_until

pytestmark = pytest.mark.servers


def _state(stack: Stack, execution: str) -> StateType | None:
    with stack.client._client() as server:
        return server.read_flow_run(UUID(execution)).state_type


def _known(stack: Stack) -> bool:
    with stack.client._client() as server:
        return any(name.endswith(f"-{stack.pid}") for name in live_workers(server))


def _busy(processes: list[psutil.Process], since: dict[int, float]) -> bool:
    """Whether one works on fib(33): a sweep that comes between needs far less CPU than 0.3 s."""
    return any(each.cpu_times().user > since[each.pid] + 0.3 for each in processes)


def test_a_killed_step_process_is_replaced_and_its_step_tried_again(stack: Stack) -> None:
    stack.need_worker()
    struck = False
    for number in range(5):  # the kill may come between two steps, or hit one of a repair
        processes = stack.step_processes()
        before = {each.pid: each.cpu_times().user for each in processes}
        execution = stack.client.start("fib33:6", f"step-killed-{number}")
        wait_until(lambda p=processes, b=before: _busy(p, b), "a step at work")
        for process in processes:
            process.kill()
        assert stack.client.wait(execution, WITHIN).total_pages == 6
        attempts = sorted(span.attempt for span in stack.client.spans(execution))
        struck = attempts == [1, 1, 1, 1, 1, 2]
        if struck:
            break
        assert attempts == [1] * 6
    assert struck


def test_sigterm_lets_the_work_in_hand_end(stack: Stack) -> None:
    stack.need_worker()
    with stack.held():
        execution = stack.client.start("fib33:1", "terminated")
        wait_until(lambda: _state(stack, execution) is StateType.RUNNING, "a flow run in hand")
        os.kill(stack.pid, signal.SIGTERM)
    assert stack.worker_ended() == 0
    assert _state(stack, execution) is StateType.COMPLETED
    assert stack.client.wait(execution, WITHIN).total_pages == 1
    assert not stack.client.health().workers


@pytest.mark.long
def test_what_outlasts_the_grace_is_given_back_and_begun_again(stack: Stack) -> None:
    if stack.process is not None:
        stack.stop_worker()
    impatient = (
        "from prefect_impl.environment import configure; configure();"
        "from prefect_impl import worker; worker.GRACE_SECONDS = 0.0; worker.run_worker(2)"
    )
    stack.start_worker([sys.executable, "-c", impatient])
    with stack.held():
        # Ten steps: the first ends before the worker has seen to the signal, the last does not.
        execution = stack.client.start("fib33:10", "cut-short")
        wait_until(lambda: _state(stack, execution) is StateType.RUNNING, "a flow run in hand")
        os.kill(stack.pid, signal.SIGTERM)
    assert stack.worker_ended() == 0
    assert _state(stack, execution) is StateType.SCHEDULED
    stack.start_worker()
    assert stack.client.wait(execution, WITHIN).total_pages == 10


BUSY = """
from prefect_impl.environment import configure; configure()
import httpx
from prefect.exceptions import Abort
from prefect.workers.base import BaseJobConfiguration
from prefect_impl import worker

once = {"not-begun", "not-ended"}

class Refused(BaseJobConfiguration):
    @classmethod
    async def resolve_for_flow_run(cls, flow_run, **given):
        if flow_run.name == "not-begun" and flow_run.name in once:
            once.remove(flow_run.name)
            raise httpx.ReadTimeout("the server is busy")
        return await super().resolve_for_flow_run(flow_run, **given)

def run_flow(flow, flow_run, **given):
    if flow_run.name == "not-ended" and flow_run.name in once:
        once.remove(flow_run.name)
        raise Abort("Error validating state: database is locked")
    return real(flow, flow_run=flow_run, **given)

real, worker.run_flow = worker.run_flow, run_flow
worker.InProcessWorker.job_configuration = Refused
worker.run_worker(2)
"""


def test_what_a_busy_server_refused_is_begun_again(stack: Stack) -> None:
    if stack.process is not None:
        stack.stop_worker()
    stack.start_worker([sys.executable, "-c", BUSY])
    for run_id in ("not-begun", "not-ended"):
        execution = stack.client.start("noop:2", run_id)
        assert stack.client.wait(execution, WITHIN) == Outcome(total_pages=2)
    told = (stack.folder / "worker.log").read_text()
    assert "flow run not-begun is begun later: " in told
    assert "flow run not-ended: the server refused its state: " in told
    assert stack.stop_worker() == 0


def test_after_sigkill_the_next_worker_begins_again_what_was_lost(stack: Stack) -> None:
    stack.need_worker()
    for number in range(5):  # all rolls may be there before we look
        run_id = f"killed-{number}"
        execution = stack.client.start("chord_by_station", run_id)
        wait_until(lambda r=run_id: any(step == GENERATE for step, _ in executed(r)), "a roll")
        with transaction():  # SQLite has one writer: no further step can commit
            stations = list_stations(run_id)
            rolls = sum(step == GENERATE for step, _ in executed(run_id))
            if rolls < len(stations):
                stack.stop_worker(signal.SIGKILL)
                break
    assert 0 < rolls < len(stations)
    assert _state(stack, execution) is StateType.RUNNING  # for ever, as far as Prefect goes
    assert run_id not in run_sweep(older_than=0.0, once=True)  # it is for the next worker

    stack.start_worker()
    total = stack.client.wait(execution, WITHIN).total_pages
    assert total == sum(printed_pages(run_id))
    with transaction(read_only=True) as session:
        summary = session.get_one(Summary, run_id)
    assert (summary.parts, summary.total_pages) == (len(stations), total)
    after = executed(run_id)
    assert {(GENERATE, station) for station in stations} | {(SUM, "*")} < set(after)
    assert after[SUM, "*"] == 1
    assert run_sweep(older_than=0.0, once=True) == []


def test_what_the_server_was_not_told_is_begun_again(stack: Stack) -> None:
    """A worker that lives on, and does not have what the server thinks it has."""
    stack.need_worker()
    with stack.client._client() as server:
        wait_until(lambda: _known(stack), "a heartbeat")
        worker = f"{socket.gethostname()}-{stack.pid}"
        begun = server.create_flow_run_from_deployment(
            deployment_id(server, "chord_by_center"), parameters={"run_id": "untold"},
            name="untold", state=Pending(),
        )  # fmt: skip
        begin_run("untold", "chord_by_center", "prefect")
        server.update_flow_run(begun.id, infrastructure_pid=worker)
    assert stack.client.wait(str(begun.id), WITHIN).total_pages == sum(printed_pages("untold"))


def test_a_worker_outlives_a_server_that_is_killed(stack: Stack, stack_server: Server) -> None:
    stack.need_worker()
    execution = stack.client.start("chord_by_station", "server-killed")
    wait_until(lambda: any(step == GENERATE for step, _ in executed("server-killed")), "a roll")
    stack_server.kill()
    stations = len(list_stations("server-killed"))
    # The rolls need no server; what waits for it is the end.
    wait_until(lambda: len(printed_pages("server-killed")) == stations, "the rolls")
    stack_server.start()
    total = stack.client.wait(execution, WITHIN).total_pages
    assert total == sum(printed_pages("server-killed"))
    assert stack.process is not None
    assert stack.process.poll() is None


def test_the_worker_is_known_by_its_heartbeat(stack: Stack) -> None:
    stack.need_worker()
    wait_until(lambda: _known(stack), "a heartbeat")
    assert stack.process is not None
    assert stack.process.poll() is None
