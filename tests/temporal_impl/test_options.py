"""The shared policy in Temporal's words."""

import pytest

from shared.policy import EXPIRES, LONG_STEP, STEP, StepPolicy
from temporal_impl.options import HEARTBEAT_TIMEOUT, LONG, SHORT, activity_options


@pytest.mark.parametrize(("options", "policy"), [(SHORT, STEP), (LONG, LONG_STEP)])
def test_counts_and_times_are_the_shared_ones(options: dict, policy: StepPolicy) -> None:
    assert options == activity_options(policy)
    retry = options["retry_policy"]
    assert retry.maximum_attempts == policy.retries + 1
    assert retry.initial_interval.total_seconds() == policy.backoff
    assert retry.backoff_coefficient == policy.backoff_factor
    assert retry.maximum_interval.total_seconds() == policy.backoff_cap
    assert options["start_to_close_timeout"].total_seconds() == policy.time_limit
    assert options["schedule_to_start_timeout"].total_seconds() == EXPIRES


def test_a_lost_worker_is_noticed_long_before_the_time_limit() -> None:
    assert options_heartbeat() == HEARTBEAT_TIMEOUT.total_seconds()
    assert HEARTBEAT_TIMEOUT.total_seconds() * 10 < STEP.time_limit


def options_heartbeat() -> float:
    timeout = SHORT["heartbeat_timeout"]
    assert timeout is not None
    return timeout.total_seconds()
