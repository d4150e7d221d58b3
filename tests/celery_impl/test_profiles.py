"""Every setting exists, and says what the policy says."""

import pytest
from celery.app.defaults import DEFAULTS, SETTING_KEYS
from celery.utils.time import get_exponential_backoff_interval

from celery_impl import all_in_one, chord_by_center, tasks
from celery_impl.app import app
from celery_impl.profiles import Profile, hardened, naive
from shared.errors import TRANSIENT
from shared.policy import EXPIRES, LONG_STEP, STEP
from shared.settings import Settings

REDIS = Settings(
    celery_broker_url="redis+socket:///tmp/s", celery_result_backend="redis+socket:///tmp/s"
)
RABBITMQ = Settings(
    celery_broker_url="amqp://guest@localhost//", celery_result_backend="redis://localhost/1"
)
# What Celery reads from the message or from kombu, and therefore does not list.
COMMON = {
    "broker_url",
    "result_backend",
    "task_serializer",
    "result_serializer",
    "accept_content",
    "task_send_sent_event",
}


@pytest.mark.parametrize("make", [naive, hardened])
@pytest.mark.parametrize("settings", [REDIS, RABBITMQ])
def test_celery_knows_every_setting(make, settings: Settings) -> None:
    assert set(make(settings).settings) - SETTING_KEYS == set()


@pytest.mark.parametrize("settings", [REDIS, RABBITMQ])
def test_naive_sets_nothing_that_matters(settings: Settings) -> None:
    profile = naive(settings)
    assert set(profile.settings) == COMMON
    assert (profile.step, profile.long_step) == ({}, {})
    assert not profile.queue_after_commit
    assert profile.confirm_timeout is None


@pytest.mark.parametrize("settings", [REDIS, RABBITMQ])
def test_hardened_differs_from_the_defaults_unless_it_says_so(settings: Settings) -> None:
    said_aloud = {
        "accept_content",
        "result_serializer",
        "task_serializer",
        "task_publish_retry",
        "worker_detect_quorum_queues",
        "broker_native_delayed_delivery_queue_type",
        "redis_socket_keepalive",  # off where the backend is a Unix socket
    }
    same = {
        key
        for key, value in hardened(settings).settings.items()
        if value == DEFAULTS[key] or (key == "accept_content" and tuple(value) == DEFAULTS[key])
    }
    assert same <= said_aloud


def test_redis_looks_more_often_for_a_short_timeout() -> None:
    short = REDIS.model_copy(update={"visibility_timeout": 12.0})
    options = hardened(short).settings["broker_transport_options"]
    assert options["visibility_timeout"] == 12
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 3


def test_redis_redelivers_no_step_that_may_still_run() -> None:
    options = hardened(REDIS).settings["broker_transport_options"]
    assert options["visibility_timeout"] > LONG_STEP.time_limit + LONG_STEP.backoff_cap


def test_rabbitmq_takes_no_step_back_that_may_still_run() -> None:
    consumer_timeout = 30 * 60  # rabbitmq.com/docs/consumers: the default
    assert STEP.time_limit <= LONG_STEP.time_limit < consumer_timeout


def test_rabbitmq_gets_confirms_and_a_quorum_queue_that_can_delay() -> None:
    profile = hardened(RABBITMQ)
    assert profile.settings["broker_transport_options"]["confirm_publish"] is True
    assert profile.settings["task_default_queue_type"] == "quorum"
    assert profile.settings["task_default_exchange_type"] == "topic"
    assert profile.confirm_timeout is not None


@pytest.mark.parametrize("profile", [hardened(REDIS), hardened(RABBITMQ)])
def test_options_of_a_step_are_the_policy(profile: Profile) -> None:
    assert profile.step["max_retries"] == STEP.retries
    assert profile.step["autoretry_for"] == TRANSIENT
    assert profile.step["expires"] == EXPIRES
    longest = [
        get_exponential_backoff_interval(
            profile.step["retry_backoff"], retries, profile.step["retry_backoff_max"]
        )
        for retries in range(8)
    ]
    assert longest == [
        min(STEP.backoff * STEP.backoff_factor**n, STEP.backoff_cap) for n in range(8)
    ]


def test_limits_reach_the_tasks() -> None:
    app.finalize()
    step, long = tasks.generate_roll, all_in_one.everything
    assert (step.soft_time_limit, step.time_limit) == (STEP.soft_time_limit, STEP.time_limit)
    assert (long.soft_time_limit, long.time_limit) == (
        LONG_STEP.soft_time_limit,
        LONG_STEP.time_limit,
    )
    # One center is no more than a step, as on the other engines.
    assert chord_by_center.assign_and_print.time_limit == STEP.time_limit
    assert step.acks_late
    assert step.reject_on_worker_lost
