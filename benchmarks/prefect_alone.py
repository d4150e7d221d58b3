"""Ways that Prefect itself has for a task sent alone, as programs that take such tasks in.

    python -m benchmarks.prefect_alone background
    python -m benchmarks.prefect_alone standing

`background` serves a background task (`noop.delay(1)`), `standing` is a flow run that takes in what
is sent to it as input of a flow run, and runs a task for each; it prints its id. In both the task
leaves its answer in Redis, where the caller looks for it, so that storing and reading Prefect's own
results is not counted.
"""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from typing import cast

import redis
import typer
from prefect import flow, task
from prefect.input.run_input import receive_input
from prefect.runtime import flow_run
from prefect.task_worker import serve

ANSWERS = "answers"
POLL_SECONDS = 0.05
store = redis.Redis.from_url(os.environ.get("FAN_REDIS", "redis://127.0.0.1:6379/15"))


class Way(StrEnum):
    """How it takes tasks in."""

    BACKGROUND = "background"
    STANDING = "standing"


@task
def noop(number: int) -> int:
    """Does nothing, and leaves the answer."""
    store.hset(ANSWERS, str(number), number)
    return number


@flow
async def standing() -> None:
    """Takes tasks in until it is stopped."""
    typer.echo(f"flow run {flow_run.get_id()}")
    running = []
    async for number in receive_input(int, timeout=None, poll_interval=POLL_SECONDS):
        running.append(noop.submit(cast(int, number)))


def main(way: Way) -> None:
    """Take tasks in, ten at a time, until stopped."""
    if way is Way.BACKGROUND:
        typer.echo("serving")
        serve(noop, limit=10)
    else:
        asyncio.run(standing())


if __name__ == "__main__":
    typer.run(main)
