"""What every flow and every task says: retries, results, names.

The numbers are `shared.policy`'s, in Prefect's words:

| Celery                       | Prefect                                              |
|------------------------------|------------------------------------------------------|
| `max_retries=3`              | `retries=3`                                          |
| backoff 1 s, doubled, cap 30 | `retry_delay_seconds=[1, 2, 4]`                      |
| `autoretry_for=TRANSIENT`    | `retry_condition_fn`                                 |
| `reject_on_worker_lost`      | `StepProcessLost` is retried                         |
| soft and hard time limit     | in the step's process; the state is `TimedOut`       |
| `ignore_result`              | `persist_result=False`                               |

Not `timeout_seconds`: in a thread it "cannot interrupt blocking operations" (Prefect's own
warning, once a task), and it would count the time a step waits for a free process. The limits are
kept where they can be enforced, in `prefect_impl.processes`; a `TimeoutError` out of a task is
what Prefect itself records as `TimedOut`.

Caching is off. By default Prefect 3 keys a task's result by its inputs, its source and the flow
run, and a persisted result is reused: four identical calls in one flow are executed once. A step
that is called is a step that is to be executed.

Flows persist their result, because that is the only way in which a caller in another process gets
a value, or the original exception, instead of a state's message. Tasks do not: their results are
consumed in the flow's process, and what has to last is in the database.
"""

from __future__ import annotations

from typing import Any, TypedDict

from prefect import Task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import get_state_exception

from prefect_impl.processes import StepProcessLost, StepTimedOut
from shared.errors import TRANSIENT
from shared.policy import StepPolicy


class TaskOptions(TypedDict):
    """Keyword arguments of `prefect.task`."""

    retries: int
    retry_delay_seconds: list[float]
    retry_condition_fn: Any
    cache_policy: CachePolicy
    persist_result: bool


class FlowOptions(TypedDict):
    """Keyword arguments of `prefect.flow`."""

    flow_run_name: str
    persist_result: bool


def is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether another try may help: the database or the disk was busy, or the process died."""
    error = get_state_exception(state)
    return isinstance(error, (*TRANSIENT, StepProcessLost)) and not isinstance(error, StepTimedOut)


def task_options(policy: StepPolicy) -> TaskOptions:
    """A step policy as keyword arguments of `prefect.task`."""
    delays = [policy.backoff * policy.backoff_factor**retry for retry in range(policy.retries)]
    return TaskOptions(
        retries=policy.retries,
        retry_delay_seconds=[min(delay, policy.backoff_cap) for delay in delays],
        retry_condition_fn=is_transient,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


FLOW = FlowOptions(flow_run_name="{run_id}", persist_result=True)
