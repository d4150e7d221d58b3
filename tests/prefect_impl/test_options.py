"""What is retried and what is not."""

import pytest
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.states import Failed
from sqlalchemy.exc import OperationalError

from prefect_impl.options import is_transient, task_options
from prefect_impl.processes import StepProcessLost, StepTimedOut, WorkerStopping
from prefect_impl.registry import FLOWS
from shared.errors import RollUnderObjection
from shared.policy import STEP, StepPolicy


@task
def anything() -> None:
    """A task."""


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OperationalError("select", {}, Exception("locked")), True),
        (OSError("disk"), True),
        (StepProcessLost("killed"), True),
        (StepTimedOut("too long"), False),  # although a TimeoutError is an OSError
        (WorkerStopping("bye"), False),
        (RollUnderObjection("no"), False),
        (ValueError("no"), False),
    ],
)
def test_only_transient_errors_are_retried(error: Exception, again: bool) -> None:
    run = TaskRun.model_construct()
    state = Failed(data=error)
    assert state.type is StateType.FAILED
    assert is_transient(anything, run, state) is again


def test_the_policy_in_prefects_words() -> None:
    options = task_options(STEP)
    assert options["retries"] == STEP.retries
    assert options["retry_delay_seconds"] == [1.0, 2.0, 4.0]
    assert options["cache_policy"] is NO_CACHE


def test_delays_are_capped() -> None:
    assert task_options(StepPolicy(retries=7))["retry_delay_seconds"][-2:] == [30.0, 30.0]


def test_every_flow_persists_its_result() -> None:
    """Else a caller in another process would get a state's message instead of an exception."""
    assert {flow.persist_result for flow in FLOWS.values()} == {True}
