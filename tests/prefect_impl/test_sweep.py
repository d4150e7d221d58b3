"""The schedule; what a sweep does to a killed run is in test_worker.py."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Scheduled

from prefect_impl.deployments import deployment_id, register
from prefect_impl.flow_runs import of_run
from prefect_impl.names import SWEEP_EVERY, deployment_of
from prefect_impl.sweep import _parameters, run_sweep, start_repairs
from shared import steps
from shared.recovery import OLDER_THAN, Gap
from shared.steps import printed_pages, roll_file_name, rolls_folder
from tests.prefect_impl.stack import WITHIN, Stack, executed, wait_until


def test_a_repair_makes_up_what_the_gap_names() -> None:
    nothing_assigned = Gap("r", "chain", True, (), True, True)
    assert _parameters(nothing_assigned) == {
        "run_id": "r", "assign": True, "sum_pages": True, "publish": True,
    }  # fmt: skip
    rolls_only = Gap("r", "group", True, (), False, False)
    assert _parameters(rolls_only)["sum_pages"] is False


@pytest.mark.servers
def test_the_server_has_the_sweep_on_its_schedule(stack: Stack) -> None:
    with stack.client._client() as server:
        deployment = server.read_deployment_by_name(deployment_of("sweep"))
    (scheduled,) = deployment.schedules
    assert scheduled.active
    assert isinstance(scheduled.schedule, IntervalSchedule)
    assert scheduled.schedule.interval == SWEEP_EVERY == timedelta(seconds=OLDER_THAN)
    assert deployment.global_concurrency_limit is None  # see prefect_impl.sweep


@pytest.mark.servers
def test_the_server_follows_the_schedule(stack: Stack) -> None:
    """With SQLAlchemy 2.1 its scheduler fails, and says so in its log only."""
    with stack.client._client() as server:
        deployment = server.read_deployment_by_name(deployment_of("sweep"))
        of_it = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))

        def planned() -> bool:
            runs = server.read_flow_runs(
                deployment_filter=of_it, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=10
            )
            return any(run.auto_scheduled for run in runs)

        wait_until(planned, "a run that the schedule has planned")


@pytest.mark.servers
def test_registering_again_leaves_what_is_the_same(stack: Stack) -> None:
    with stack.client._client() as server:
        before = server.read_deployment_by_name(deployment_of("sweep"))
        register(server)
        after = server.read_deployment_by_name(deployment_of("sweep"))
    assert before.version is not None
    assert after.updated == before.updated
    assert [each.id for each in after.schedules] == [each.id for each in before.schedules]


@pytest.mark.servers
def test_a_worker_sweeps_and_prints_a_roll_that_was_lost(stack: Stack) -> None:
    stack.run("chord_by_center", "lost-a-roll")
    station = steps.list_stations("lost-a-roll")[0]
    file = rolls_folder("lost-a-roll") / roll_file_name(station)
    before = file.read_bytes()
    file.unlink()
    with stack.client._client() as server:
        server.create_flow_run_from_deployment(
            deployment_id(server, "sweep"), parameters={"older_than": 0.0}
        )
    wait_until(file.exists, "the roll")
    assert file.read_bytes() == before
    wait_until(lambda: executed("lost-a-roll")[steps.GENERATE, station] == 2, "its effect")
    assert len(printed_pages("lost-a-roll")) == len(steps.list_stations("lost-a-roll"))


@pytest.mark.servers
def test_repairs_do_not_end_where_there_are_more_than_a_page(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_impl.flow_runs.PAGE", 1)
    gap = Gap("often", "group", False, (), False, False)
    repairs = set()
    for _ in range(3):
        with stack.client._client() as server:
            assert start_repairs(server, [gap]) == ["often"]
            (newest,) = of_run(server, "often")
        stack.client.wait(str(newest.id), 120)
        repairs.add(newest.id)
    assert len(repairs) == 3


@pytest.mark.servers
def test_a_sweep_that_comes_late_leaves_it_to_those_that_are_due(stack: Stack) -> None:
    with stack.client._client() as server:
        late = server.create_flow_run_from_deployment(
            deployment_id(server, "sweep"),
            parameters={"older_than": 0.0},
            state=Scheduled(scheduled_time=datetime.now(UTC) - 2 * SWEEP_EVERY),
        )
    steps.begin_run("late-sweep", "chord_by_station", "prefect")
    assert stack.client.wait(str(late.id), WITHIN).total_pages == []
    run_sweep(older_than=0.0, once=True)  # unless one on the schedule has come before
    with stack.client._client() as server:
        (repair,) = of_run(server, "late-sweep")
    assert stack.client.wait(str(repair.id), WITHIN).error_type is None


@pytest.mark.servers
@pytest.mark.usefixtures("stack")
def test_a_run_that_was_entered_but_never_started_is_made_up() -> None:
    steps.begin_run("never-started", "chord_by_station", "prefect")
    assert "never-started" in run_sweep(older_than=0.0, once=True)
    wait_until(lambda: executed("never-started")[steps.SUM, "*"] == 1, "the fan-in")
    assert len(printed_pages("never-started")) == len(steps.list_stations("never-started"))
