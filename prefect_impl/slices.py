"""A wide flow on all workers of the pool: slices of its members are flow runs of a deployment.

Mapped tasks run where their flow does, so that one worker has the whole of a flow, however many
there are. What the server hands out to workers are flow runs: the flow starts one for each slice,
and any worker takes it.

- The flow walks slices itself as well, those that nobody has begun. Otherwise flows that wait for
  their slices could take up all places of a worker (`prefect_impl.worker.FLOW_RUNS`), and none of
  the slices would ever begin. So one worker is enough.
- A slice is walked once: whoever begins it writes an input of its flow run, of which the server
  takes one of a name.
- A flow that is begun anew, because its worker was killed, finds the slices that it has started by
  their keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.runtime import flow_run

from prefect_impl.connection import connect
from prefect_impl.flow_runs import PAGE
from prefect_impl.names import deployment_of, key_of, tag_of
from prefect_impl.outcome import result_of

M = TypeVar("M")
R = TypeVar("R")

POLL_SECONDS = 0.2
_CLAIM, _ITSELF, _STARTER = "walked-by", "itself", "its-starter"


def in_slices(
    slice_flow: str,
    run_id: str,
    members: Sequence[M],
    size: int,
    here: Callable[[list[M]], list[R]],
) -> list[R]:
    """What all members came to, in their order.

    Args:
        slice_flow: the flow of a slice. Its parameters are `run_id` and `members`; it returns what
            each member came to, or None where `is_mine()` is false.
        run_id: the run.
        members: the members, as JSON has them.
        size: how many of them a slice has.
        here: walks a slice in this flow.

    Raises:
        Exception: of the first slice, in order, that failed; all have ended by then.
    """
    parts = [list(members[start : start + size]) for start in range(0, len(members), size)]
    runs = [_start(slice_flow, run_id, part, number) for number, part in enumerate(parts)]
    ended: dict[int, list[R] | BaseException] = {}
    with connect() as client:
        while len(ended) < len(parts):
            left = [number for number in range(len(parts)) if number not in ended]
            found = _read(client, [runs[number] for number in left])
            ended |= _ends({number: found[runs[number]] for number in left})
            # From the end: workers are given slices from the beginning.
            mine = _claimed(client, {n: found[runs[n]] for n in reversed(left) if n not in ended})
            if mine is not None:
                ended[mine] = _outcome(here, parts[mine])
            elif len(ended) < len(parts):
                time.sleep(POLL_SECONDS)
    results: list[R] = []
    for number in range(len(parts)):
        end = ended[number]
        if isinstance(end, BaseException):
            raise end
        results += end
    return results


def is_mine() -> bool:
    """Whether this flow run, which is of a slice, is to walk it."""
    with connect() as client:
        return _claim(client, UUID(flow_run.id), _ITSELF)


def _start(slice_flow: str, run_id: str, members: list[Any], number: int) -> UUID:
    begun: Any = run_deployment(
        deployment_of(slice_flow),
        parameters={"run_id": run_id, "members": members},
        flow_run_name=f"{run_id}/{number}",
        idempotency_key=f"{key_of(slice_flow, run_id)}/{number}",
        tags=[tag_of(run_id)],
        timeout=0,
    )
    found: UUID = begun.id
    return found


def _read(client: SyncPrefectClient, ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    found: dict[UUID, FlowRun] = {}
    for start in range(0, len(ids), PAGE):
        page = FlowRunFilterId(any_=list(ids[start : start + PAGE]))
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=page), limit=PAGE)
        found |= {run.id: run for run in runs}
    return found


def _ends(runs: Mapping[int, FlowRun]) -> dict[int, Any]:
    """What the slices came to that have ended and were not left to the flow that asks."""
    ends: dict[int, Any] = {}
    for number, run in runs.items():
        if run.state is not None and run.state.is_final():
            result = result_of(run.state)
            if isinstance(result, list | BaseException):
                ends[number] = result
            elif not run.state.is_completed():  # cancelled by hand
                ends[number] = RuntimeError(f"slice {run.name} ended as {run.state.name}")
    return ends


def _claimed(client: SyncPrefectClient, runs: Mapping[int, FlowRun]) -> int | None:
    """The first of these slices that this flow may walk."""
    for number, run in runs.items():
        left_to_me = run.state is not None and run.state.is_completed()
        waits = run.state is None or run.state.is_scheduled()
        if (left_to_me or waits) and _claim(client, run.id, _STARTER):
            return number
    return None


def _claim(client: SyncPrefectClient, flow_run_id: UUID, who: str) -> bool:
    """Whether `who` walks the slice. Whoever comes first keeps it for good."""
    try:
        client.create_flow_run_input(flow_run_id, _CLAIM, who)
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.CONFLICT:
            raise
        return client.read_flow_run_input(flow_run_id, _CLAIM) == who
    return True


def _outcome(here: Callable[[list[M]], list[R]], members: list[M]) -> list[R] | BaseException:
    try:
        return here(members)
    except Exception as error:  # raised once all others have ended
        return error
