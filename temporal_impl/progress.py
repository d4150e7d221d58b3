"""A long activity that goes on where its last attempt stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from temporalio import activity


class _Step(Protocol):
    def __call__(self, run_id: str, item: str, /, *, attempt: int) -> int: ...


class Progress:
    """The results of an activity's steps, in order, kept by the server as heartbeat details.

    The next attempt is handed them and takes them instead of doing those steps again. The SDK
    sends heartbeats at most every few seconds, so that a killed worker's last steps are repeated.
    """

    def __init__(self, do: Callable[[Callable[[], int]], Awaitable[int]]) -> None:
        details = activity.info().heartbeat_details
        self._kept: list[int] = list(details[0]) if details else []
        self._taken = 0
        self._do = do

    async def once(self, step: _Step, run_id: str, item: str) -> int:
        """The step's result, done now unless an earlier attempt has done it."""
        if self._taken == len(self._kept):
            attempt = activity.info().attempt
            self._kept.append(await self._do(partial(step, run_id, item, attempt=attempt)))
            activity.heartbeat(self._kept)
        self._taken += 1
        return self._kept[self._taken - 1]
