"""Slices of a wide group: flow runs of the same deployment, so that all workers share one canvas.

The flow run that has the group walks slices as well, those that nobody has begun. So a pool with
one worker, or one in which every place is taken by flow runs that wait for slices, comes to an end
all the same.

How a slice has ended is a result of its own name in the app's result backend, where a second run of
the flow run finds it; a slice that was started is not started again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from celery import states
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelling, Completed

from offcanvas.canvas.calls import Branch, End
from offcanvas.canvas.nodes import Group
from offcanvas.canvas.title import title
from offcanvas.engines.prefect.job import SLICE, TAG, Job
from offcanvas.engines.prefect.reading import read_all, tell
from offcanvas.errors import EngineError, UsageError

if TYPE_CHECKING:
    from celery import Celery

#: Seconds between two looks at how far the slices are.
_LOOK = 0.5
#: The input of a slice that says who walks it, and what the flow run that has started it says.
_CLAIM = f"{TAG}-claim"
_STARTER = "starter"
#: Requests to the server at a time.
_AT_A_TIME = 4


def spread_of(given: object) -> int | None:
    """``given`` if it says how many tasks a slice has.

    Raises:
        UsageError: it does not.
    """
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return given
    raise UsageError(
        f"spread={given!r:.40} says nothing: it is None, or how many tasks of a wide group one "
        "worker walks at a time, 1 or more"
    )


def keep_ends(app: Celery, flow_run_id: UUID, ends: Sequence[End]) -> None:
    """Write down how the branches of a slice have ended, in their order."""
    text = json.dumps([end.to_json() for end in ends], separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    app.backend.store_result(_place(flow_run_id), packed, states.SUCCESS)


def kept_ends(app: Celery, flow_run_id: UUID) -> list[End] | None:
    """What ``keep_ends`` has written, None if that is nothing."""
    stored = app.backend.get_task_meta(_place(flow_run_id), cache=False)
    if stored["status"] != states.SUCCESS:
        return None
    text = zlib.decompress(base64.b64decode(stored["result"]))
    return [End.from_json(raw) for raw in json.loads(text)]


async def claimed(client: PrefectClient, flow_run_id: UUID, me: str) -> bool:
    """Whether a slice is walked by ``me``: itself, or the flow run that has started it.

    The server takes one input of a name. Whoever has come first keeps the slice for good.
    """
    try:
        await client.create_flow_run_input(flow_run_id, _CLAIM, me)
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.CONFLICT:
            raise
        return await client.read_flow_run_input(flow_run_id, _CLAIM) == me
    return True


def walked_elsewhere() -> State[Any]:
    """The state of a slice that is walked by the flow run that has started it.

    It is not Cancelled: a server looks every 20 seconds for open task runs of each flow run that
    was cancelled in the last day (Prefect 3.9.1, ``monitor_cancelled_flow_runs``), and an app with
    many wide canvases would leave thousands of them.
    """
    return Completed(name="Taken back", message="walked by the flow run that has started it")


def _place(flow_run_id: UUID) -> str:
    return str(uuid.uuid5(flow_run_id, "ends"))


class Slices:
    """The slices that a flow run has started.

    Args:
        app: the app.
        client: of the server.
        run: the flow run that has the group.
    """

    def __init__(self, app: Celery, client: PrefectClient, run: FlowRun) -> None:
        self._app = app
        self._client = client
        self._run = run
        self._open: set[UUID] = set()
        self._requests = asyncio.Semaphore(_AT_A_TIME)

    async def walk(
        self,
        parts: Sequence[Sequence[Branch]],
        job: Callable[[Sequence[Branch]], Job],
        here: Callable[[Sequence[Branch]], Awaitable[list[End]]],
    ) -> list[End]:
        """Walk all parts, elsewhere or by ``here``; how their branches ended, in their order."""
        ends: dict[int, list[End]] = {}
        started = await asyncio.gather(*(self._start(job(part)) for part in parts[1:]))
        waiting = dict(enumerate(started, 1))
        self._open.update(started)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._collect(waiting, ends))
                ends[0] = await here(parts[0])
                for number in range(len(parts) - 1, 0, -1):
                    if number in waiting and await self._taken_back(waiting[number]):
                        del waiting[number]
                        ends[number] = await here(parts[number])
        finally:
            self._open.difference_update(started)
        return [end for number in range(len(parts)) for end in ends[number]]

    async def _start(self, job: Job) -> UUID:
        run = self._run
        if run.deployment_id is None:
            raise RuntimeError("a flow run without a deployment cannot start another one")
        branches = (job.branch, *job.more)
        which = json.dumps([branch.to_json() for branch in branches], sort_keys=True)
        async with self._requests:
            made = await self._client.create_flow_run_from_deployment(
                run.deployment_id,
                parameters={"job": job.to_text(self._app)},
                name=title(Group(members=tuple(branch.node for branch in branches))),
                tags=[TAG, SLICE, f"{TAG}:{job.tree}"],
                # A second run of this flow run must not start it a second time.
                idempotency_key=f"slice:{uuid.uuid5(run.id, which)}",
            )
        return made.id

    async def _collect(self, waiting: dict[int, UUID], ends: dict[int, list[End]]) -> None:
        while waiting:
            await asyncio.sleep(_LOOK)
            numbers = {flow_run_id: number for number, flow_run_id in waiting.items()}
            for run in await self._ended([*numbers]):
                found = kept_ends(self._app, run.id)
                number = numbers[run.id]
                if found is None:
                    # One that has never begun is this flow run's to walk.
                    if number in waiting and await self._was_begun(run.id):
                        raise EngineError(f"the slice {run.id} was cut short: {run.state_name}")
                elif waiting.pop(number, None) is not None:
                    ends[number] = found
                    self._open.discard(run.id)

    async def _was_begun(self, flow_run_id: UUID) -> bool:
        try:
            return await self._client.read_flow_run_input(flow_run_id, _CLAIM) == SLICE
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return False

    async def _ended(self, ids: list[UUID]) -> list[FlowRun]:
        found = await read_all(self._client, ids)
        return [run for run in found if run.state is not None and run.state.is_final()]

    async def _taken_back(self, flow_run_id: UUID) -> bool:
        """Whether the slice is this flow run's to walk, and nobody else will."""
        if not await claimed(self._client, flow_run_id, _STARTER):
            return False
        self._open.discard(flow_run_id)
        # For the pool, which need not begin it: it would see the claim, and end.
        await self._client.set_flow_run_state(flow_run_id, walked_elsewhere())
        return True

    async def tell(self, message: dict[str, Any]) -> None:
        """Tell the slices what was revoked."""
        for flow_run_id in [*self._open]:
            await tell(self._client, flow_run_id, message)

    async def cancel(self) -> None:
        """End the slices, with the tasks that run."""
        for flow_run_id in [*self._open]:
            ends: State[Any] = Cancelling()
            await self._client.set_flow_run_state(flow_run_id, ends, force=True)
