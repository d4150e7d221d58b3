"""A batch as an activity: several members of a group under the name of their task.

What it is given and what it answers are one message each. Heartbeats say how many members have
ended. A worker that cannot send them (frozen, cut off) begins no further member long before the
server has another worker go on with them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.client import AsyncActivityCancelledError
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from offcanvas.canvas.calls import LATER, LEFT, TaskCall, TaskOutcome
from offcanvas.engines.batches import TARGET, Batch, told
from offcanvas.engines.processes import process
from offcanvas.engines.processes.batch import FOREVER, BatchRun
from offcanvas.engines.processes.board import now
from offcanvas.engines.processes.members import members_of
from offcanvas.engines.temporal.lone import revoke_everywhere
from offcanvas.engines.temporal.payload import MOST, pack
from offcanvas.errors import EngineUnavailable

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.engines.processes.pool import Pool
    from offcanvas.engines.processes.rates import Rates

#: Characters of outcomes after which no further member begins: an answer takes 2 MB, compressed.
ROOM = 1_000_000
#: How much of the time a worker believes to have after which the server takes it for lost.
_CAUTION = 0.7


async def run_batch(
    app: Celery, pool: Pool, rates: Rates, given: Mapping[str, Any], limit: Batch
) -> RawValue:
    """Run the members of a batch; what the workflow is answered.

    ``limit`` is the worker's own: of so many members, or of the time for "auto".
    """
    raws = members_of(given)
    calls = [TaskCall.from_json(raw["call"]) for raw in raws]
    outcomes: list[dict[str, Any]] = [{"state": LEFT} for _ in calls]
    places: list[int] = []
    for place, call in enumerate(calls[: limit if isinstance(limit, int) else None]):
        wait = rates.reserve(call)
        if wait:
            outcomes[place] = TaskOutcome(LATER, delay=wait).to_json()
        else:
            places.append(place)
    run = BatchRun(
        app,
        pool,
        [calls[place] for place in places],
        [raws[place] for place in places],
        work=process.run_task,
        target=TARGET if limit == "auto" else given.get("target"),
        room=ROOM,
        until=_leave(),
        engine="temporal",
        sent=activity.info().current_attempt_scheduled_time.timestamp(),
    )
    if places:
        for place, outcome in zip(places, await _at_work(run), strict=True):
            outcomes[place] = outcome
    for outcome in outcomes:
        for one in outcome.get("revoked", ()):
            await tell(app, one)
    return _answer(calls, outcomes, run)


async def _at_work(run: BatchRun) -> list[dict[str, Any]]:
    """The outcomes; heartbeats meanwhile, and whatever the server or the worker wants."""
    working = asyncio.create_task(run.run())
    beating = asyncio.create_task(_heartbeats(run))
    try:
        while not working.done():
            try:
                await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
                if beating.done():
                    beating.result()  # the server has given the batch to somebody else
            except asyncio.CancelledError:
                if not await _may_end(run, activity.cancellation_details()):
                    raise
        return working.result()
    finally:
        beating.cancel()
        if not working.done():
            run.stop()
            working.cancel()  # kills the process
            await asyncio.wait({working})


async def _may_end(run: BatchRun, why: activity.ActivityCancellationDetails | None) -> bool:
    """The batch is to end; whether the member that runs may end first."""
    run.stop()
    if why is None or why.not_found or why.timed_out or why.reset:
        return False
    if why.worker_shutdown:
        return True
    # Something in it was revoked, or the workflow is cancelled: only the workflow knows.
    try:
        names = await _to_terminate()
    except RPCError as error:
        activity.logger.warning("could not ask what was revoked: %s", error)
        return True
    if names is None:
        return False
    run.terminate(names)
    return True


async def _to_terminate() -> list[str] | None:
    """Names of tasks that are to be ended; None for all."""
    info = activity.info()
    if info.workflow_id is None:
        return None
    workflow = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
    names: list[str] | None = await workflow.query("terminated", info.activity_id)
    return names


def _leave() -> float:
    """Until when members may begin, if the server hears of this worker now for the last time."""
    timeout = activity.info().heartbeat_timeout
    return FOREVER if timeout is None else now() + _CAUTION * timeout.total_seconds()


async def _heartbeats(run: BatchRun) -> None:
    """In each quarter of the timeout; what the server confirms is leave to go on.

    Raises:
        RPCError: the activity is no longer this worker's.
    """
    info = activity.info()
    if info.heartbeat_timeout is None:
        await asyncio.Event().wait()
        return
    quarter = info.heartbeat_timeout.total_seconds() / 4
    server = activity.client().get_async_activity_handle(task_token=info.task_token)
    while True:
        await asyncio.sleep(quarter)
        details = {"ended": run.ended}
        activity.heartbeat(details)  # else the SDK takes the activity for timed out
        until = _leave()
        try:
            await server.heartbeat(details, rpc_timeout=info.heartbeat_timeout)
        except AsyncActivityCancelledError as error:
            why = error.details
            if why is not None and not why.paused and not await _may_end(run, why):
                run.kill()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise
            activity.logger.warning("a heartbeat did not reach the server: %s", error.message)
            continue
        run.extend(until)


async def tell(app: Celery, revoked: Mapping[str, Any]) -> None:
    """Tell every canvas what a task has revoked."""
    try:
        await revoke_everywhere(
            activity.client(), app, revoked["ids"], terminate=revoked["terminate"]
        )
    except (RPCError, EngineUnavailable) as error:
        # The task has ended, and well: it does not run again for what it has asked of others.
        activity.logger.warning("could not tell that %s are revoked: %s", revoked["ids"], error)


def _answer(calls: Sequence[TaskCall], outcomes: list[dict[str, Any]], run: BatchRun) -> RawValue:
    """What the batch has come to: first in words, for Temporal's pages.

    An outcome that does not fit in is asked for once more, by itself.
    """
    raw = {"batch": told(calls, outcomes), "seconds": run.seconds, "ran": run.ran}
    packed = pack({**raw, "outcomes": outcomes})
    while packed.payload.ByteSize() > MOST:
        sizes = [len(json.dumps(one)) for one in outcomes]
        largest = sizes.index(max(sizes))
        outcomes[largest] = {"state": LEFT, "why": "told"}
        packed = pack({**raw, "outcomes": outcomes})
    return packed
