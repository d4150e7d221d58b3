"""Tasks that do nothing, or sleep, for measuring what is around them."""

import os
import time
from typing import Any

from celery import Celery, chord

URL = os.environ.get("FAN_REDIS", "redis://127.0.0.1:6379/15")

app = Celery("benchmarks.fan_app", broker=URL, backend=URL)
app.conf.worker_prefetch_multiplier = 4


@app.task
def noop(number: int) -> int:
    """Does nothing."""
    return number


@app.task
def nap(number: int, seconds: float = 0.1) -> int:
    """Waits."""
    time.sleep(seconds)
    return number


@app.task
def total(numbers: list[int]) -> int:
    """How many they were."""
    return len(numbers)


def fan(members: int) -> Any:
    """A chord of so many tasks that do nothing."""
    return chord([noop.s(number) for number in range(members)], total.s())


def naps(members: int, seconds: float) -> Any:
    """A chord of so many tasks that sleep."""
    return chord([nap.s(number, seconds) for number in range(members)], total.s())
