"""Errors on their way from a step to the caller."""

import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from temporalio import exceptions
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    RetryState,
    TimeoutType,
)

from shared.errors import RollUnderObjection
from temporal_impl.failures import as_application_error, original, type_and_text


def activity_error(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="1@host",
        activity_type="generate_roll",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


def child_error(cause: BaseException) -> ChildWorkflowError:
    error = ChildWorkflowError(
        "Child Workflow execution failed",
        namespace="default",
        workflow_id="a/b",
        run_id="1",
        workflow_type="fan_out",
        initiated_event_id=1,
        started_event_id=2,
        retry_state=None,
    )
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (OperationalError("select", {}, sqlite3.OperationalError("database is locked")), True),
        (OSError(28, "No space left on device"), True),
        (FileNotFoundError("rolls"), True),
        (IntegrityError("insert", {}, sqlite3.IntegrityError("UNIQUE")), False),
        (RollUnderObjection("station A-1: no"), False),
        (ValueError("?"), False),
    ],
)
def test_only_transient_errors_are_retried(error: Exception, retried: bool) -> None:
    made = as_application_error(error)
    assert made.non_retryable is not retried
    assert type_and_text(made) == (type(error).__name__, str(error))


def test_the_original_comes_out_of_any_wrapping() -> None:
    step = as_application_error(RollUnderObjection("station A-1: no"))
    step.__cause__ = ApplicationError("remote traceback", type="_RemoteTraceback")
    cause, wrapping = original(WorkflowFailureError(cause=child_error(activity_error(step))))
    assert type_and_text(cause) == ("RollUnderObjection", "station A-1: no")
    assert wrapping == [
        "WorkflowFailureError", "ChildWorkflowError", "ActivityError", "ApplicationError"
    ]  # fmt: skip


def test_a_timeout_is_its_own_original() -> None:
    timeout = exceptions.TimeoutError(
        "activity StartToClose timeout",
        type=TimeoutType.START_TO_CLOSE,
        last_heartbeat_details=[],
    )
    cause, wrapping = original(WorkflowFailureError(cause=activity_error(timeout)))
    assert type_and_text(cause) == ("TimeoutError", "activity StartToClose timeout")
    assert wrapping == ["WorkflowFailureError", "ActivityError"]
