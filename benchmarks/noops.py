"""An app of tasks that do nothing, for what the kit itself takes."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, chord

app: Celery[Any] = Celery("noops", backend=os.environ.get("BENCHMARK_RESULTS"))


@app.task
def noop(index: int) -> int:
    """Do nothing, and count as one."""
    return 1 if index >= 0 else 0


@app.task
def total(numbers: list[int]) -> int:
    """The fan-in."""
    return sum(numbers)


def noops(width: int) -> Any:
    """A chord over so many."""
    return chord([noop.s(index) for index in range(width)], total.s())
