"""What the health check sees."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import prefect
import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from offcanvas.servers.base import free_port
from prefect_impl.client import Client
from prefect_impl.flow_runs import is_lost
from prefect_impl.health import _idle, _late, _lost
from shared import steps
from shared.contract import Health
from shared.settings import settings
from tests.prefect_impl.stack import Stack, wait_until


def _flow_run(**fields: object) -> FlowRun:
    return FlowRun.model_validate({"flow_id": uuid4(), "name": "run-1"} | fields)


def test_a_flow_run_that_nobody_takes_is_stuck() -> None:
    now = datetime.now(UTC)
    late = _flow_run(expected_start_time=now - timedelta(seconds=100))
    fresh = _flow_run(expected_start_time=now - timedelta(seconds=2))
    assert _late([late, fresh], now.timestamp()) == ["run-1: waits to be executed for 100 s"]


def _held(state: StateType, worker: str | None) -> FlowRun:
    return _flow_run(
        state=State(type=state),
        state_type=state,
        state_name="Held",
        infrastructure_pid=worker,
    )


@pytest.mark.parametrize("state", [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING])
def test_a_flow_run_whose_worker_is_gone_is_stuck(state: StateType) -> None:
    later = time.time() + 20
    gone = _held(state, "gone-1")
    assert _lost([gone], ["here-2"], later) == ["run-1: Held, but its worker gone-1 is gone"]
    assert _lost([gone], ["gone-1"], later) == []
    # Killed before it wrote its name, or busy: that takes longer to tell.
    assert not is_lost(_held(state, None), ["here-2"], later)
    assert is_lost(_held(state, None), ["here-2"], later + 20)


def test_a_young_state_says_nothing() -> None:
    """A flow run that was given back still bears the name of the worker that gave it back."""
    assert not is_lost(_held(StateType.PENDING, "gone-1"), ["here-2"], time.time() + 5)


@pytest.mark.parametrize("state", [StateType.SCHEDULED, StateType.COMPLETED, StateType.CRASHED])
def test_what_nobody_holds_cannot_be_lost(state: StateType) -> None:
    assert not is_lost(_held(state, "gone-1"), [], time.time() + 100)


@pytest.mark.usefixtures("sqlite_database")
def test_a_flow_run_without_effects_is_stuck() -> None:
    started = datetime.now(UTC)
    steps.begin_run("run-1", "chain", "prefect")
    steps.begin_run("run-2", "noop:5", "prefect")  # leaves none by nature
    held = [
        _flow_run(
            name=name, state_type=StateType.RUNNING, start_time=started, infrastructure_pid="w"
        )
        for name in ("run-1", "run-2")
    ]
    now = started.timestamp() + 400
    assert _idle(held, ["w"], now) == ["run-1: at work for 400 s, without an effect of late"]
    assert _idle(held, ["w"], started.timestamp() + 200) == []
    steps.assign_all("run-1")
    assert _idle(held, ["w"], time.time() + 200) == []


def test_a_server_that_does_not_answer_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    settings.cache_clear()
    client = Client()
    found = client.health()
    client.close()
    assert not found.reachable
    assert not found.healthy
    assert "cannot reach the Prefect server" in found.detail


@pytest.mark.servers
def test_with_a_worker_all_is_well(stack: Stack) -> None:
    looks: list[Health] = []

    def well() -> bool:
        looks.append(stack.client.health())
        workers = looks[-1].workers
        return looks[-1].healthy and any(name.endswith(f"-{stack.pid}") for name in workers)

    wait_until(well, "a server on which all is well")  # a busy machine holds up heartbeats
    assert prefect.__version__ in looks[-1].detail
