"""Waiting for mapped tasks as a chord waits for its header."""

from __future__ import annotations

from typing import TypeVar

from prefect.futures import PrefectFutureList, wait

R = TypeVar("R")


def join(futures: PrefectFutureList[R]) -> list[R]:
    """Let all members end, then return their results in order.

    `PrefectFutureList.result()` alone raises at the first failure in order and leaves the flow
    while other members are still at work; the task runner would cancel those not begun.

    Raises:
        Exception: the error of the first member, in order, that failed.
    """
    wait(futures)
    return futures.result()
