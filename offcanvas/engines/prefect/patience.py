"""A Prefect server that is busy is asked again soon at first.

On SQLite a server answers 503 when two writes meet, which is over in milliseconds, and Prefect's
clients then wait 2, 4, 8, 16 and 32 seconds. They would wait as long as the ``Retry-After`` of the
answer says; so these hooks of httpx write one into it.
"""

from __future__ import annotations

import itertools
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient

#: Seconds to wait after the first refusal of a request, the second, and so on.
WAITS = (0.1, 0.3, 1.0, 8.0, 32.0)
_TIMES = "offcanvas_times"


def _wait_less(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or "Retry-After" in response.headers:
        return
    times = response.request.extensions.setdefault(_TIMES, itertools.count())
    response.headers["Retry-After"] = str(WAITS[min(next(times), len(WAITS) - 1)])


async def _wait_less_too(response: httpx.Response) -> None:
    _wait_less(response)


#: ``httpx_settings`` of a synchronous client.
SETTINGS: dict[str, Any] = {"event_hooks": {"response": [_wait_less]}}


def make_patient(client: PrefectClient) -> None:
    """Hooks for a client that Prefect has made.

    Not by ``httpx_settings``: Prefect shares a client only with those who ask for the same, and its
    engines ask for none.
    """
    http = client._client  # noqa: SLF001  # the client of httpx, with no other way to it
    http.event_hooks = {"response": [_wait_less_too]}
