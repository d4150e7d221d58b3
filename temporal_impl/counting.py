"""Activities, counted where they begin and end: in the worker itself."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import BrokenExecutor
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from shared import metrics
from shared.metrics.vocabulary import FAILED, LOST, RETRIED, REVOKED, SUCCEEDED

ENGINE = "temporal"


class Counting(Interceptor):
    """Counts every attempt at an activity, if metrics are on."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Count what the activity comes to."""
        return next if metrics.meter() is None else _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        meter, info = metrics.meter(), activity.info()
        if meter is None:
            return await super().execute_activity(input)
        waited = time.time() - info.current_attempt_scheduled_time.timestamp()
        ended = meter.begun(ENGINE, info.activity_type, waited)
        try:
            result = await super().execute_activity(input)
        except BaseException as error:
            again = _again(info, error)
            ended(_state(error, again=again), again=again)
            raise
        ended(SUCCEEDED)
        return result


def _again(info: activity.Info, error: BaseException) -> bool:
    policy = info.retry_policy
    most = 0 if policy is None else policy.maximum_attempts  # none: for ever
    final = isinstance(error, ApplicationError) and error.non_retryable
    ends = isinstance(error, CancelledError | asyncio.CancelledError)
    return not (final or ends) and (not most or info.attempt < most)


def _state(error: BaseException, *, again: bool) -> str:
    if isinstance(error, BrokenExecutor):  # its process was killed, and the pool is made anew
        return LOST
    if isinstance(error, CancelledError | asyncio.CancelledError):
        return REVOKED
    return RETRIED if again else FAILED
