"""Flow runs that nobody executes any more go back to the server, for a worker to begin again.

Prefect tells a lost flow run by an automation on heartbeats, which its subprocess runner sends and
which marks the run Crashed (https://docs.prefect.io/v3/advanced/detect-zombie-flows); nobody then
does the work. Here the workers themselves look, when they start and with every heartbeat. A flow
run is lost

- if its worker is gone: the live worker that comes first by name gives it back, so that two do not;
- if it is said to be in the hands of a live worker which does not have it: the server was out of
  reach when the worker could not go on with it, and never heard of that.

It becomes AwaitingRetry, and is begun anew under the same id: steps are idempotent, and whoever
waits for the flow run gets its result. A lost sweep is marked Crashed: the next one does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import AwaitingRetry, Cancelled, Crashed

from prefect_impl.connection import connect
from prefect_impl.flow_runs import in_pool, is_lost, is_settled, live_workers
from prefect_impl.names import deployment_of

AT_WORK = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


def reconcile(worker: str, in_hand: Callable[[], Collection[UUID]]) -> list[FlowRun]:
    """Give back what is lost, as this worker sees it; returns the flow runs.

    Args:
        worker: the name of this worker.
        in_hand: the flow runs that it is executing now. Asked before and after the server is, so
            that one which ends or begins in between is not taken for lost.

    Raises:
        UsageError, httpx.HTTPError: the server does not answer; the next call finds the same.
    """
    with connect() as client:
        before = set(in_hand())
        workers = live_workers(client)
        at_work = in_pool(client, *AT_WORK)
        after = set(in_hand())
        first = worker in workers and worker == min(workers)
        lost = [
            run
            for run in at_work
            if run.id not in before | after
            and (
                is_settled(run)
                if run.infrastructure_pid == worker
                else first and is_lost(run, workers)
            )
        ]
        for run in lost:
            _give_back(client, run)
        return lost


def _give_back(client: SyncPrefectClient, run: FlowRun) -> None:
    sweep = client.read_deployment_by_name(deployment_of("sweep")).id
    if run.state_type is StateType.CANCELLING:
        state: State = Cancelled(message="its worker was gone")
    elif run.deployment_id == sweep:
        state = Crashed(message="its worker is gone; the next sweep does the same")
    else:
        state = AwaitingRetry(message="its worker is gone or has lost it: begun anew")
    client.set_flow_run_state(run.id, state, force=True)
