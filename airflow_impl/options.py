"""What every DAG and every task says: retries, time limits, pool, parameters.

The numbers are `shared.policy`'s, in Airflow's words:

| Celery                       | Airflow                                                       |
|------------------------------|---------------------------------------------------------------|
| `max_retries=3`              | `retries=3`                                                   |
| backoff 1 s, doubled, cap 30 | `retry_delay`, `retry_exponential_backoff`, `max_retry_delay` |
| `autoretry_for=TRANSIENT`    | `retry_policy`: what is not in the list fails at once         |
| `reject_on_worker_lost`      | a process that dies counts as an attempt, and is tried again  |
| `soft_time_limit`            | `execution_timeout`; final by the retry policy                |
| hard `time_limit`            | none in Airflow; the task's process keeps it (`tasks`)        |
| `--concurrency`              | the slots of the pool, and the executor's `parallelism`       |
| `expires`                    | none                                                          |

Airflow draws each delay between the backoff and twice the backoff, the same every time for the same
task, and looks for tasks that are due once in a loop of the scheduler.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, Param, RetryAction, RetryRule

from airflow_impl.names import POOL
from shared.errors import TRANSIENT
from shared.policy import StepPolicy

# Worth another try: a short list. Everything else is final, the time limit included.
RETRY_POLICY = ExceptionRetryPolicy(
    [RetryRule(list(TRANSIENT), RetryAction.RETRY), RetryRule(BaseException, RetryAction.FAIL)]
)


def task_options(policy: StepPolicy) -> dict[str, Any]:
    """A step policy as keyword arguments of `@task`."""
    return {
        "retries": policy.retries,
        "retry_delay": timedelta(seconds=policy.backoff),
        "retry_exponential_backoff": policy.backoff_factor,
        "max_retry_delay": timedelta(seconds=policy.backoff_cap),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(seconds=policy.soft_time_limit),
        "pool": POOL,
    }


# A run is started by its caller and has no date; the API server refuses parameters that do not fit.
DAG: dict[str, Any] = {
    "schedule": None,
    "catchup": False,
    "tags": ["voter rolls"],
    "params": {"run_id": Param(type="string", minLength=1, maxLength=64)},
}
