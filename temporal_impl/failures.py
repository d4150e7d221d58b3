"""Errors on their way from a step to the caller.

A step raises RollUnderObjection; Temporal carries it as
WorkflowFailureError > ActivityError > ApplicationError(type="RollUnderObjection"), with a
ChildWorkflowError in between where a batch ran in a history of its own.
"""

from __future__ import annotations

from temporalio.exceptions import ApplicationError, FailureError

from shared.errors import TRANSIENT


def as_application_error(error: Exception) -> ApplicationError:
    """The error as Temporal keeps it: type name and text; only `TRANSIENT` is worth a retry.

    The retry policy could list the types that are not (`non_retryable_error_types`), by name and
    without regard to inheritance; deciding here keeps the one rule of `shared.errors`.
    """
    return ApplicationError(
        str(error),
        type=type(error).__name__,
        non_retryable=not isinstance(error, TRANSIENT),
    )


def original(error: BaseException) -> tuple[BaseException, list[str]]:
    """The error that a step raised, and the class names of what it came wrapped in.

    The first ApplicationError on the way down is the step's; what lies below it is the remote
    traceback. An activity that timed out, or was cancelled, has no ApplicationError: then the
    innermost failure is the answer.
    """
    wrapping: list[str] = []
    while not isinstance(error, ApplicationError):
        cause = error.cause if isinstance(error, FailureError) else error.__cause__
        if cause is None:
            return error, wrapping
        wrapping.append(type(error).__name__)
        error = cause
    wrapping.append(type(error).__name__)
    return error, wrapping


def type_and_text(error: BaseException) -> tuple[str, str]:
    """The class name of the original exception and its message, free of Temporal's wrapping."""
    if isinstance(error, ApplicationError):
        return error.type or type(error).__name__, error.message
    if isinstance(error, FailureError):
        return type(error).__name__, error.message
    return type(error).__name__, str(error)
