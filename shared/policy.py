"""How often, how fast and how long: one policy, translated by each engine into its own words."""

from __future__ import annotations

from dataclasses import dataclass

from shared.settings import LONGEST_STEP, at_import


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """Retries and time limits of a step; all times in seconds.

    Celery: `max_retries`, `soft_time_limit`, `time_limit`. Prefect: `retries`, `timeout_seconds`.
    Temporal: `maximum_attempts = retries + 1`, `start_to_close_timeout`.
    """

    retries: int = 3
    backoff: float = 1.0
    backoff_factor: float = 2.0
    backoff_cap: float = 30.0
    soft_time_limit: float = 240.0
    time_limit: float = 300.0

    @property
    def attempts(self) -> int:
        """Executions at the most."""
        return self.retries + 1


_limit = at_import().step_time_limit
STEP = StepPolicy(soft_time_limit=0.8 * _limit, time_limit=_limit)
# A step that walks over the whole roll book in one go (all_in_one, starmap) may last longer, but
# not for the half hour after which RabbitMQ takes an unacknowledged message back (consumer_timeout,
# rabbitmq.com/docs/consumers, "Delivery Acknowledgement Timeout"): it would begin anew each time.
LONG_STEP = StepPolicy(soft_time_limit=1_200.0, time_limit=LONGEST_STEP)
# How long a queued message is worth executing.
EXPIRES = 24 * 3_600.0
