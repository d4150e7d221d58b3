"""The heartbeats of an emitted worker, on a server: beats, and what attempts tell each other."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

from offcanvas.port.emit.temporal import fixed
from offcanvas.servers import temporal

pytestmark = pytest.mark.servers
BEAT = timedelta(seconds=2)


class Later(Exception):  # noqa: N818 - named as what it stands for
    """What `TryAgainLater` is to an emitted step."""

    error: Exception | None = None
    after = 0.0
    limit: int | None = None

    def __init__(self, args_again: Any, kwargs_again: Any) -> None:
        super().__init__("later")
        self.args_again, self.kwargs_again = args_again, kwargs_again


def _emitted(name: str, text: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name, "exec"), vars(module))  # noqa: S102 - our own text
    return module


last = fixed.TOLD.splitlines(keepends=True)[0]
failures = _emitted(
    "failures_that_tell",
    fixed.with_imports(
        fixed.FAILURES + fixed.AS_ASKED + fixed.ASKED_AGAIN.replace(last, fixed.TOLD)
    ),
)
beats = _emitted("beats", fixed.heartbeats("", told=False))
telling = _emitted(
    "beats_that_tell",
    fixed.heartbeats("", told=True).replace("from .failures", "from failures_that_tell"),
)


@activity.defn
def sleeps(seconds: float) -> int:
    time.sleep(seconds)
    return activity.info().attempt


@activity.defn
@failures.asked_again(Later, limit=3, wait=180)
def counts(first: int) -> list[Any]:
    args, kwargs = failures.as_asked([first], {"plain": True})
    time.sleep(0.8)
    if activity.info().attempt == 1:
        raise Later((args[0] + 1,), kwargs)
    if activity.info().attempt == 2:
        raise Later(None, None)
    if activity.info().attempt == 3:
        raise Later((args[0] * 2, "x"), {"plain": False})
    return [args, kwargs, activity.info().attempt]


@activity.defn
@failures.asked_again(Later, limit=3, wait=180)
def hands_on_what_is_no_json(first: int) -> None:
    raise Later(({first},), {})


@workflow.defn(sandboxed=False)
class Calls:
    @workflow.run
    async def run(self, name: str, given: float) -> Any:
        return await workflow.execute_activity(
            name, given, start_to_close_timeout=timedelta(seconds=60), heartbeat_timeout=BEAT,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=180), maximum_attempts=4),
        )  # fmt: skip


async def _results(address: str, interceptor: Any, calls: list[tuple[str, float]]) -> list[Any]:
    client = await Client.connect(address)
    steps = [sleeps, counts, hands_on_what_is_no_json]
    with ThreadPoolExecutor(8) as pool:
        async with Worker(
            client, task_queue=interceptor.__name__, workflows=[Calls], activities=steps,
            activity_executor=pool, interceptors=[interceptor.Heartbeats()],
        ):  # fmt: skip
            queue = interceptor.__name__
            limit = timedelta(seconds=50)
            runs = [
                client.execute_workflow(
                    Calls.run,
                    args=[*one],
                    id=f"{queue}-{number}",
                    task_queue=queue,
                    run_timeout=limit,
                )
                for number, one in enumerate(calls)
            ]
            return await asyncio.gather(*runs, return_exceptions=True)


@contextmanager
def _server():
    with temporal() as server:
        yield server.environment["TEMPORAL_ADDRESS"]


def test_a_step_may_take_longer_than_its_heartbeat_timeout(tmp_path: Path) -> None:
    calls = [("sleeps", 0.0), ("sleeps", 5.0), ("counts", 4), ("hands_on_what_is_no_json", 1)]
    with _server() as address:
        plain = asyncio.run(_results(address, beats, calls[:2]))
        told = asyncio.run(_results(address, telling, calls))
    assert plain == [1, 1]
    assert told[:3] == [1, 1, [[10, "x"], {"plain": False}, 4]]
    failed = told[3].cause.cause
    assert failed.non_retryable
    assert "The next attempt cannot be told its arguments: " in failed.message
