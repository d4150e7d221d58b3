"""Heartbeats that the worker sends while one of its processes is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from temporal_impl.options import HEARTBEAT_INTERVAL


class Heartbeats(Interceptor):
    """Sends heartbeats for every activity until its process has answered.

    A worker that dies goes silent, and its activities are tried elsewhere after
    `HEARTBEAT_TIMEOUT`. A heartbeat says that the process is alive, not that it makes progress:
    what hangs is ended by `start_to_close_timeout`.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Send heartbeats while the activity runs."""
        return _Inbound(next)


class _Outbound(ActivityOutboundInterceptor):
    """Remembers the newest details: a heartbeat without them would make the server forget them."""

    def __init__(self, next: ActivityOutboundInterceptor) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._details: Sequence[Any] = self.info().heartbeat_details

    def heartbeat(self, *details: Any) -> None:
        self._details = details
        super().heartbeat(*details)

    async def keep_sending(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
            self.heartbeat(*self._details)


class _Inbound(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._outbound = _Outbound(outbound)
        super().init(self._outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        sending = asyncio.create_task(self._outbound.keep_sending())
        try:
            return await super().execute_activity(input)
        finally:
            sending.cancel()
