"""Two sets of Celery settings, chosen by CELERY_PROFILE: `naive` and `hardened`.

`naive` is Celery's defaults; it is here to be compared with. `hardened` is what the lessons of
running Celery add up to. The sections named in the comments are those of Celery's user guide,
https://docs.celeryq.dev/en/stable/userguide/configuration.html unless another page is named.

What a message carries (time limits, expiry) is set by the process that sends it, what happens to a
message (acknowledgement, retries) by the one that executes it: callers and workers must have the
same profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import TRANSIENT
from shared.policy import EXPIRES, LONG_STEP, STEP, StepPolicy
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings of the app, options of its tasks, and two habits of the caller.

    `step` and `long_step` are keyword arguments of `@app.task`; `queue_after_commit` and
    `confirm_timeout` (seconds) say how messages are sent.
    """

    name: str
    settings: Mapping[str, Any]
    step: Mapping[str, Any] = field(default_factory=dict)
    long_step: Mapping[str, Any] = field(default_factory=dict)
    queue_after_commit: bool = False
    confirm_timeout: float | None = None


def profile(settings: Settings) -> Profile:
    """The profile that the settings choose."""
    return hardened(settings) if settings.celery_profile == "hardened" else naive(settings)


def _common(settings: Settings) -> dict[str, Any]:
    return {
        # broker_url, result_backend: where everything is.
        "broker_url": settings.celery_broker_url,
        "result_backend": settings.celery_result_backend,
        # task_serializer, result_serializer, accept_content: JSON is the default; said aloud
        # because pickle executes what it reads (userguide/security.html, "Serializers").
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        # task_send_sent_event: the time at which a task was queued, for the comparisons.
        "task_send_sent_event": True,
    }


def naive(settings: Settings) -> Profile:
    """Celery's defaults: nothing set but addresses, JSON and the events we look at."""
    return Profile("naive", _common(settings))


# Seconds for which a broker may leave a publisher without an answer.
_SILENT_PUBLISH = 10

# The queue's name. "celery" is what every other project on the same broker uses as well.
QUEUE = "voter-rolls"


def hardened(settings: Settings) -> Profile:
    """Settings that do not lose work, at the price of repeating some: tasks are idempotent."""
    rabbitmq = (settings.celery_broker_url or "").startswith(("amqp://", "amqps://", "pyamqp://"))
    return Profile(
        name="hardened",
        settings={
            **_common(settings),
            **_acknowledgement(),
            **_limits(),
            **_publishing(),
            **_shutdown(),
            **_results(settings),
            **(
                _quorum_queue(settings.silent_after)
                if rabbitmq
                else _redis_queue(settings.visibility_timeout)
            ),
        },
        step=_step_options(STEP),
        long_step=_step_options(LONG_STEP),
        # userguide/tasks.html, "Database transactions": a message sent inside a transaction can
        # overtake the rows it is about, and survives their rollback.
        queue_after_commit=True,
        # A frozen broker neither confirms nor refuses; without a limit the caller waits for ever.
        # An option of each message (kombu, `Producer.publish`), there is no setting.
        confirm_timeout=float(_SILENT_PUBLISH) if rabbitmq else None,
    )


def _acknowledgement() -> dict[str, Any]:
    return {
        # task_acks_late: acknowledge when the work is done, not when it begins. A worker that
        # dies gives the message back. Our steps can be repeated; that is the condition.
        "task_acks_late": True,
        # task_reject_on_worker_lost: task_acks_late alone still acknowledges a task whose
        # process was killed (out of memory). A task that kills its process each time then
        # loops; a quorum queue of RabbitMQ 4 drops it after 20 deliveries, other queues never.
        "task_reject_on_worker_lost": True,
        # worker_prefetch_multiplier: with late acknowledgement a reserved message is held back
        # from idle workers for as long as the task before it lasts; one per process is the least
        # that RabbitMQ knows (userguide/optimizing.html, "Prefetch Limits").
        "worker_prefetch_multiplier": 1,
        # worker_cancel_long_running_tasks_on_connection_loss: the broker redelivers what was not
        # acknowledged when the connection broke; ending our copy avoids two at the same time.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
    }


def _limits() -> dict[str, Any]:
    return {
        # task_soft_time_limit, task_time_limit: a hung task costs a process for ever otherwise.
        # Soft raises SoftTimeLimitExceeded in the task, hard kills its process. These are for
        # tasks that say nothing themselves, such as Celery's own starmap.
        "task_soft_time_limit": STEP.soft_time_limit,
        "task_time_limit": STEP.time_limit,
    }


def _publishing() -> dict[str, Any]:
    return {
        # broker_connection_retry_on_startup: `celery worker` may be started before its broker. Our
        # own command says instead that the broker does not answer (celery_impl.reach).
        "broker_connection_retry_on_startup": True,
        # task_publish_retry, task_publish_retry_policy: the default gives up after 0.6 s. This
        # waits 0 + 0.5 + 1 + ... + 4.5 = 22.5 s, enough for a broker's restart
        # (userguide/calling.html, "Message Sending Retry").
        "task_publish_retry": True,
        "task_publish_retry_policy": {
            "max_retries": 10,
            "interval_start": 0,
            "interval_step": 0.5,
            "interval_max": 5,
        },
        # task_default_queue: a name of our own; two projects on one broker do not mix.
        "task_default_queue": QUEUE,
    }


def _shutdown() -> dict[str, Any]:
    return {
        # worker_soft_shutdown_timeout: SIGTERM is a warm shutdown, which waits for the tasks in
        # hand without limit. When a second signal or SIGQUIT asks for more haste, tasks still get
        # these seconds before they are cut off and given back (userguide/workers.html, "Soft
        # Shutdown"). Less than the 30 s after which Docker and Kubernetes commonly kill.
        "worker_soft_shutdown_timeout": 20.0,
        # worker_enable_soft_shutdown_on_idle: retries wait in the worker as countdowns; without
        # this an otherwise idle worker is cut off before it has given them back.
        "worker_enable_soft_shutdown_on_idle": True,
    }


def _results(settings: Settings) -> dict[str, Any]:
    return {
        # result_backend_always_retry, result_backend_max_retries: a result that cannot be stored
        # leaves a chord open for ever; the default does not try again. Ten tries with exponential
        # sleeps (result_backend_max_sleep_between_retries_ms: 10 s at most) cover a restart.
        "result_backend_always_retry": True,
        "result_backend_max_retries": 10,
        # redis_socket_keepalive: notices a peer that went away without a word. Over TCP only:
        # the client of a Unix socket does not know the option.
        "redis_socket_keepalive": not (settings.celery_result_backend or "").startswith(
            "redis+socket:"
        ),
    }


def _quorum_queue(silent_after: float) -> dict[str, Any]:
    return {
        # broker_heartbeat: a worker that is frozen, or behind a cut cable, keeps its messages until
        # RabbitMQ has missed two heartbeats. The default of 120 s is cut to 60 by RabbitMQ, whose
        # own advice is 5 to 20 (rabbitmq.com/docs/heartbeats, "Heartbeat Timeout Value").
        "broker_heartbeat": silent_after,
        # broker_transport_options, confirm_publish: without it `delay()` returns before the
        # broker has the message, and a broker that dies takes it along without an error. Quorum
        # queues require it (backends-and-brokers/rabbitmq.html, "Using Quorum Queues").
        # read_timeout, write_timeout: a confirm that does not come in time is an error, after which
        # kombu closes the channel, and waits for the broker's consent; a frozen one never gives it
        # (py-amqp, `Connection`; kombu, `ConnectionPool.close_resource`).
        "broker_transport_options": {
            "confirm_publish": True,
            "read_timeout": _SILENT_PUBLISH,
            "write_timeout": _SILENT_PUBLISH,
        },
        # task_default_queue_type (5.5): declares x-queue-type: quorum. Replicated, on disk before
        # it is confirmed, and with a delivery count against poison messages.
        "task_default_queue_type": "quorum",
        # worker_detect_quorum_queues (5.5): quorum queues refuse global QoS; with this (the
        # default, said aloud) Celery sets the prefetch count per consumer instead.
        "worker_detect_quorum_queues": True,
        # task_default_exchange_type: a countdown, so every retry, would block a consumer whose
        # prefetch count cannot grow. Celery then delays in RabbitMQ itself, over topic exchanges;
        # with the default (direct) it only warns ("Native Delayed Delivery").
        "task_default_exchange_type": "topic",
        # broker_native_delayed_delivery_queue_type (5.5): the delayed messages are as safe as the
        # others; the default, said aloud.
        "broker_native_delayed_delivery_queue_type": "quorum",
    }


def _redis_queue(visibility_timeout: float | None) -> dict[str, Any]:
    # Redis cannot see that a consumer has gone: what is not acknowledged within
    # `visibility_timeout` is delivered again, whether it is still being worked on or not
    # (backends-and-brokers/redis.html, "Visibility timeout"). It therefore has to outlast the
    # longest time for which a message may rightly be unacknowledged: the hard limit of the longest
    # step, which on its last attempt has also waited here for the backoff. This also bounds how
    # late the work of a killed worker comes back; the sweep does not wait for it, and RabbitMQ,
    # which redelivers when the connection breaks, has no such timeout.
    if visibility_timeout is None:
        visible = LONG_STEP.time_limit + LONG_STEP.backoff_cap + 60.0
        return {"broker_transport_options": {"visibility_timeout": visible}}
    return {
        "broker_transport_options": {
            "visibility_timeout": visibility_timeout,
            # unacked_restore_interval, unacked_restore_throttle (kombu 5.7): kombu looks for such
            # messages every 100 s only, which would be most of a timeout of seconds.
            "unacked_restore_interval": min(10.0, visibility_timeout / 4),
            "unacked_restore_throttle": 1,
        }
    }


def _step_options(policy: StepPolicy) -> dict[str, Any]:
    return {
        # userguide/tasks.html, "Automatic retry for known exceptions". Jitter draws each wait
        # from 0 to the backoff, so that tasks that failed together do not come back together.
        "autoretry_for": TRANSIENT,
        "max_retries": policy.retries,
        "retry_backoff": int(policy.backoff),
        "retry_backoff_max": int(policy.backoff_cap),
        "retry_jitter": True,
        # userguide/calling.html, "Expiration": a message nobody took for a day is not worth
        # executing; the sweep knows better what is still missing.
        "expires": EXPIRES,
        # userguide/workers.html, "Time Limits". Sent along with the message.
        "soft_time_limit": policy.soft_time_limit,
        "time_limit": policy.time_limit,
    }
