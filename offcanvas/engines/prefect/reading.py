"""Flow runs in hand are looked at together: one request for all of them, and not one for each.

A worker may have two hundred canvases in hand. Each wants to know every second whether it is still
its worker's, whether it was cancelled, and whether any of its tasks was revoked. What was revoked
is an input of the flow run (``client.as_input``), and only one with the tag ``job.TOLD`` has any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from offcanvas.engines.prefect.client import PAGE, as_input, unless_gone
from offcanvas.engines.prefect.job import TOLD

#: Seconds for which a question waits for others that come along.
_TOGETHER = 0.02


async def in_step(interval: float) -> None:
    """Wait until the next moment at which everybody here asks; there is one each ``interval``."""
    await asyncio.sleep(interval - asyncio.get_running_loop().time() % interval)


async def read_all(client: PrefectClient, ids: list[UUID]) -> list[FlowRun]:
    """Those of these flow runs that the server has."""
    found: list[FlowRun] = []
    for first in range(0, len(ids), PAGE):
        found += await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids[first : first + PAGE])),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
        )
    return found


async def tell(client: PrefectClient, flow_run_id: UUID, message: Mapping[str, Any]) -> None:
    """Tell a flow run what was revoked; it may have ended, and been deleted, meanwhile."""
    with unless_gone():
        await client.create_flow_run_input(flow_run_id, *as_input(message))
        tags = (await client.read_flow_run(flow_run_id)).tags
        if TOLD not in tags:
            await client.update_flow_run(flow_run_id, tags=[*tags, TOLD])


class Reading:
    """Reads flow runs for all that ask in the same moment. In one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, asyncio.Future[FlowRun | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def read(self, client: PrefectClient, flow_run_id: UUID) -> FlowRun:
        """The flow run as the server has it, at this moment or a little later.

        Raises:
            httpx.HTTPError: the server does not answer.
            ObjectNotFound: it has no such flow run.
        """
        loop = asyncio.get_running_loop()
        answer = self._waiting.setdefault(flow_run_id, loop.create_future())
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(client))
        # Others may wait for the same answer when this one is cancelled.
        found = await asyncio.shield(answer)
        # One that is not among many is asked for by itself, and says so in Prefect's own way.
        return found if found is not None else await client.read_flow_run(flow_run_id)

    async def _ask(self, client: PrefectClient) -> None:
        await asyncio.sleep(_TOGETHER)
        waiting, self._waiting, self._asking = self._waiting, {}, None
        try:
            found = {run.id: run for run in await read_all(client, [*waiting])}
        except Exception as error:
            for answer in waiting.values():
                answer.set_exception(error)
                answer.exception()  # whoever has asked may be gone
        else:
            for flow_run_id, answer in waiting.items():
                answer.set_result(found.get(flow_run_id))
