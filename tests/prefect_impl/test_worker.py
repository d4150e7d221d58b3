"""What a worker does when it, or one of its processes, is told to stop or is killed."""

import signal
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
from shared.database import transaction
from shared.models import Summary
from shared.steps import GENERATE, SUM, begin_run, list_stations, printed_pages
from tests.prefect_impl.stack import WITHIN, Stack, executed, wait_until

pytestmark = pytest.mark.servers


def _state(stack: Stack, execution: str) -> StateType | None:
    with stack.client._client() as server:
        return server.read_flow_run(UUID(execution)).state_type


def _step_processes(stack: Stack) -> list[psutil.Process]:
    """The children of the fork server, which is a child of the worker."""
    children = psutil.Process(stack.pid).children()
    return [process for child in children for process in child.children()]


def _busy(processes: list[psutil.Process], since: dict[int, float]) -> bool:
    """Whether one works on fib(33): a sweep that comes between needs far less CPU than 0.3 s."""
    return any(each.cpu_times().user > since[each.pid] + 0.3 for each in processes)


def test_a_killed_step_process_is_replaced_and_its_step_tried_again(stack: Stack) -> None:
    stack.need_worker()
    struck = False
    for number in range(5):  # the kill may come between two steps, or hit one of a repair
        processes = _step_processes(stack)
        before = {each.pid: each.cpu_times().user for each in processes}
        execution = stack.client.start("fib33:2", f"step-killed-{number}")
        wait_until(lambda p=processes, b=before: _busy(p, b), "a step at work")
        for process in processes:
            process.kill()
        assert stack.client.wait(execution, WITHIN).total_pages == 2
        attempts = sorted(span.attempt for span in stack.client.spans(execution))
        struck = attempts == [1, 2]
        if struck:
            break
        assert attempts == [1, 1]
    assert struck


def test_sigterm_lets_the_work_in_hand_end(stack: Stack) -> None:
    stack.need_worker()
    execution = stack.client.start("fib33:1", "terminated")
    wait_until(lambda: _state(stack, execution) is StateType.RUNNING, "a flow run in hand")
    assert stack.stop_worker() == 0
    assert _state(stack, execution) is StateType.COMPLETED
    assert stack.client.wait(execution, WITHIN).total_pages == 1
    assert not stack.client.health().workers


def test_what_outlasts_the_grace_is_given_back_and_begun_again(stack: Stack) -> None:
    if stack.process is not None:
        stack.stop_worker()
    impatient = (
        "from prefect_impl.environment import configure; configure();"
        "from prefect_impl import worker; worker.GRACE_SECONDS = 0.0; worker.run_worker(2)"
    )
    stack.start_worker([sys.executable, "-c", impatient])
    execution = stack.client.start("fib33:2", "cut-short")
    wait_until(lambda: _state(stack, execution) is StateType.RUNNING, "a flow run in hand")
    assert stack.stop_worker() == 0
    assert _state(stack, execution) is StateType.SCHEDULED
    stack.start_worker()
    assert stack.client.wait(execution, WITHIN).total_pages == 2


def test_after_sigkill_the_next_worker_begins_again_what_was_lost(stack: Stack) -> None:
    stack.need_worker()
    execution = stack.client.start("chord_by_station", "killed")
    wait_until(lambda: any(step == GENERATE for step, _ in executed("killed")), "a first roll")
    with transaction():  # SQLite has one writer: no further step can commit
        done = executed("killed")
        stack.stop_worker(signal.SIGKILL)
    assert 0 < sum(step == GENERATE for step, _ in done) < len(list_stations("killed"))
    assert _state(stack, execution) is StateType.RUNNING  # for ever, as far as Prefect goes
    assert "killed" not in run_sweep(older_than=0.0, once=True)  # it is for the next worker

    stack.start_worker()
    total = stack.client.wait(execution, WITHIN).total_pages
    assert total == sum(printed_pages("killed"))
    with transaction(read_only=True) as session:
        summary = session.get_one(Summary, "killed")
    stations = list_stations("killed")
    assert (summary.parts, summary.total_pages) == (len(stations), total)
    after = executed("killed")
    assert {(GENERATE, station) for station in stations} | {(SUM, "*")} < set(after)
    assert after[SUM, "*"] == 1
    assert run_sweep(older_than=0.0, once=True) == []


def test_what_the_server_was_not_told_is_begun_again(stack: Stack) -> None:
    """A worker that lives on, and does not have what the server thinks it has."""
    stack.need_worker()
    with stack.client._client() as server:
        (worker,) = [name for name in live_workers(server) if name.endswith(f"-{stack.pid}")]
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

    def known() -> bool:
        with stack.client._client() as server:
            return any(name.endswith(f"-{stack.pid}") for name in live_workers(server))

    wait_until(known, "a heartbeat")
    assert stack.process is not None
    assert stack.process.poll() is None
