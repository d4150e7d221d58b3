"""Who did what when, from the server's task-run records.

Prefect's task runs are orchestrated in the worker and told to the server as events, which its
recorder writes down later, after a wide fan-out much later. The worker therefore leaves the number
of task runs as a label on the flow run when it has ended, and `read_spans` waits until that many
records are complete. Not all of them may ever be: of more than 10,000 events that wait for one of
its services the server keeps none ("Subscription queue is full, dropping message" in its log;
Prefect 3.8.8, seen when it had stood still in a fan-out of 5,000). What is there when nothing is
added any more is given.

A record has the times of its first start and its end, retries and their delays included. It has
no time of queueing: a mapped task becomes known when a thread of its flow's task runner takes it.
Nor does it name a process: the tasks of one flow run are laid onto lanes, `<worker>#1` to
`<worker>#N`. The process id of a step is in the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

from prefect_impl.names import TASK_RUNS
from shared.contract import TaskSpan
from shared.lanes import on_lanes

PAGE = 200  # the server gives no more at a time
STANDSTILL_SECONDS = 200.0  # a stock server on SQLite may stand still for a minute, and again
POLL_SECONDS = 0.25


def read_spans(
    client: SyncPrefectClient, flow_run_id: UUID, standstill: float = STANDSTILL_SECONDS
) -> list[TaskSpan]:
    """Every executed task of the flow run and of the flow runs it started, by start.

    Fewer where the server has lost some: where `standstill` seconds have brought no further record.
    """
    known, grown = 0, time.monotonic()
    while True:
        flow_runs = _family(client, flow_run_id)
        expected = _expected(flow_runs)
        task_runs = [run for run in _task_runs(client, flow_runs) if _is_complete(run)]
        if len(task_runs) > known:
            known, grown = len(task_runs), time.monotonic()
        whole = expected is not None and known >= expected
        if whole or time.monotonic() - grown > standstill:
            return on_lanes(_spans(task_runs, flow_runs))
        # Reading all pages is work for the very server that is to catch up.
        time.sleep(max(POLL_SECONDS, known / 1_000))


def _expected(flow_runs: Sequence[FlowRun]) -> int | None:
    """How many task runs there must be, None as long as nobody can know."""
    total = 0
    for run in flow_runs:
        if run.state is None or not run.state.is_final():
            return None
        if run.state.is_crashed():  # its worker could not leave the number: what is there is all
            continue
        if TASK_RUNS not in run.labels:  # it comes in a moment, after the state
            return None
        total += int(run.labels[TASK_RUNS])
    return total


def _family(client: SyncPrefectClient, flow_run_id: UUID) -> list[FlowRun]:
    children = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
    return [
        client.read_flow_run(flow_run_id),
        *client.read_flow_runs(
            flow_run_filter=children, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=PAGE
        ),
    ]


def _task_runs(client: SyncPrefectClient, flow_runs: Sequence[FlowRun]) -> Iterator[TaskRun]:
    ours = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in flow_runs]))
    offset = 0
    while page := client.read_task_runs(
        flow_run_filter=ours, sort=TaskRunSort.EXPECTED_START_TIME_ASC, limit=PAGE, offset=offset
    ):
        yield from page
        offset += len(page)


def _is_complete(run: TaskRun) -> bool:
    """Whether it is a task of ours that has ended; `run_deployment` counts as one of Prefect's."""
    ours = not run.task_key.startswith("prefect.")
    return ours and run.start_time is not None and run.end_time is not None


def _spans(task_runs: Sequence[TaskRun], flow_runs: Sequence[FlowRun]) -> Iterator[TaskSpan]:
    workers = {run.id: run.infrastructure_pid or "?" for run in flow_runs}
    for run in task_runs:
        if run.start_time is None or run.end_time is None or run.flow_run_id is None:
            continue
        yield TaskSpan(
            task=run.task_key.rpartition("-")[0] or run.task_key,
            item=run.name,
            worker=workers[run.flow_run_id],
            queued_at=None,
            started_at=run.start_time.timestamp(),
            finished_at=run.end_time.timestamp(),
            attempt=run.run_count,
        )
