"""What every workflow says about its activities: queue, time limits, retries.

The numbers are `shared.policy`'s, in Temporal's words:

| Celery                       | Temporal                                        |
|------------------------------|-------------------------------------------------|
| `max_retries=3`              | `maximum_attempts=4`                            |
| backoff 1 s, doubled, cap 30 | `initial_interval`, `backoff_coefficient`, cap  |
| `soft_time_limit`            | see below                                       |
| hard `time_limit`            | `start_to_close_timeout`, for each attempt      |
| `expires`                    | `schedule_to_start_timeout`, never retried      |
| lost worker (acks late)      | `heartbeat_timeout`, see below                  |

Temporal has no soft time limit; the worker's processes keep it (`temporal_impl.pool`), and it is
final as in Celery. The hard one comes into play only for a worker that is out of reach, so that
passing it counts as an attempt and is tried again, where Celery ends the task for good.

Without a heartbeat the server learns of a dead worker only when `start_to_close_timeout` has
passed, five minutes for a roll that takes a tenth of a second. So every activity has a heartbeat
timeout. The long ones send heartbeats themselves, with their progress; for the short ones the
worker does as long as the process at work is alive (`temporal_impl.heartbeat`).
"""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig

from shared.policy import EXPIRES, LONG_STEP, STEP, StepPolicy
from shared.settings import at_import

TASK_QUEUE = "voter-rolls"

# A worker sends four heartbeats in this time; on a machine without a free core it may miss three.
HEARTBEAT_TIMEOUT = timedelta(seconds=at_import().silent_after)
HEARTBEAT_INTERVAL = HEARTBEAT_TIMEOUT / 4

# How often a worker tells the server that it lives, whatever it is doing; read by `health`.
WORKER_HEARTBEAT = timedelta(seconds=5)


def activity_options(policy: StepPolicy) -> ActivityConfig:
    """A step policy as keyword arguments of `workflow.execute_activity`."""
    return ActivityConfig(
        start_to_close_timeout=timedelta(seconds=policy.time_limit),
        schedule_to_start_timeout=timedelta(seconds=EXPIRES),
        heartbeat_timeout=HEARTBEAT_TIMEOUT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=policy.backoff),
            backoff_coefficient=policy.backoff_factor,
            maximum_interval=timedelta(seconds=policy.backoff_cap),
            maximum_attempts=policy.attempts,
        ),
    )


SHORT = activity_options(STEP)
LONG = activity_options(LONG_STEP)
