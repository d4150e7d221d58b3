"""The caller's side of Prefect: start, wait, and read the records (`shared.contract`)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Scheduled

from prefect_impl.connection import connect, not_usable
from prefect_impl.deployments import deployment_id
from prefect_impl.flow_runs import live_workers
from prefect_impl.names import ENGINE, WORK_POOL, key_of, tag_of
from prefect_impl.outcome import outcome_of
from prefect_impl.registry import Call, call_of
from prefect_impl.spans import read_spans
from shared import steps
from shared.contract import Health, Outcome, TaskSpan
from shared.errors import UsageError

# Handed over as soon as the server has the flow run.
NOBODY_WAITS = "assign_stations_in_parallel"

POLL_SECONDS = 0.1
DRAINED_UNDER_SECONDS = 0.05


class Client:
    """Prefect as `shared.contract.EngineClient` wants it."""

    name = ENGINE

    def __init__(self) -> None:
        self._connected: SyncPrefectClient | None = None

    @contextmanager
    def _client(self) -> Iterator[SyncPrefectClient]:
        if self._connected is None:
            self._connected = connect().__enter__()
        try:
            yield self._connected
        except httpx.HTTPError as error:
            raise not_usable(error) from error

    def worker_command(self, concurrency: int) -> list[str]:
        """The argument vector of one worker."""
        return [sys.executable, "-m", "prefect_impl", "worker", "--concurrency", str(concurrency)]

    def wait_for_worker(self, timeout: float) -> None:
        """Return once a worker has run a flow with one step that does nothing.

        The list of workers alone does not tell: one that was killed stays on it for a while, and
        one that is on it may not ask for work yet.
        """
        deadline = time.monotonic() + timeout
        with self._client() as client:
            while not live_workers(client):
                if time.monotonic() > deadline:
                    raise _nobody_works(timeout)
                time.sleep(5 * POLL_SECONDS)
            probe = f"ready-{uuid4().hex}"
            run = self._create(client, Call("noop", {"run_id": probe, "count": 1}), probe, probe)
            try:
                self._wait(client, run.id, deadline - time.monotonic())
            except TimeoutError:
                client.delete_flow_run(run.id)
                raise _nobody_works(timeout) from None

    def start(self, variant: str, run_id: str) -> str:
        """Start a variant; returns the flow run's id.

        The idempotency key makes a second start find the first one's flow run. One that is
        waiting, at work or has ended is let be; one that was cut short is scheduled again.
        """
        call = call_of(variant, run_id)
        steps.begin_run(run_id, variant, ENGINE)
        with self._client() as client:
            run = self._create(client, call, run_id, key_of(variant, run_id))
            if run.state is not None and (run.state.is_crashed() or run.state.is_cancelled()):
                client.set_flow_run_state(run.id, Scheduled(), force=True)
            return str(run.id)

    def _create(self, client: SyncPrefectClient, call: Call, run_id: str, key: str) -> FlowRun:
        return client.create_flow_run_from_deployment(
            deployment_id(client, call.flow),
            parameters=call.parameters,
            name=run_id,
            tags=[tag_of(run_id)],
            idempotency_key=key,
        )

    def wait(self, execution_id: str, timeout: float) -> Outcome:
        """Wait for the result, the error, or that nobody waits for it."""
        with self._client() as client:
            run = client.read_flow_run(_uuid(execution_id))
            if client.read_flow(run.flow_id).name == NOBODY_WAITS:
                return Outcome()
            return outcome_of(self._wait(client, run.id, timeout))

    def _wait(self, client: SyncPrefectClient, flow_run_id: UUID, timeout: float) -> State:
        began = time.monotonic()
        while True:
            state = client.read_flow_run(flow_run_id).state
            if state is not None and state.is_final():
                return state
            waited = time.monotonic() - began
            if waited > timeout:
                raise TimeoutError(f"flow run {flow_run_id} has not ended after {timeout:g} s")
            # Each question costs the server 10 ms of CPU: right to a twentieth is enough.
            time.sleep(min(1.0, max(POLL_SECONDS, waited / 20)))

    def spans(self, execution_id: str) -> list[TaskSpan]:
        """The task runs of the flow run and of those it started."""
        with self._client() as client:
            return read_spans(client, _uuid(execution_id))

    def drained(self, timeout: float) -> None:
        """Return once the server has caught up with its events and answers promptly again.

        After a wide flow the server is busy for longer than the flow itself; whoever measures
        waits for this between two runs. Raises TimeoutError.
        """
        deadline = time.monotonic() + timeout
        prompt = 0
        with self._client() as client:
            while prompt < 5:
                began = time.monotonic()
                if began > deadline:
                    raise TimeoutError(f"the Prefect server is still busy after {timeout:g} s")
                client.count_flow_runs()
                prompt = prompt + 1 if time.monotonic() - began < DRAINED_UNDER_SECONDS else 0
                time.sleep(POLL_SECONDS)

    def health(self) -> Health:
        """Look at server, workers, queue and stuck flow runs."""
        from prefect_impl.health import examine

        try:
            with self._client() as client:
                return examine(client)
        except UsageError as error:
            return Health(engine=ENGINE, reachable=False, detail=str(error))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connected is not None:
            self._connected.__exit__(None, None, None)
            self._connected = None


def _nobody_works(timeout: float) -> TimeoutError:
    return TimeoutError(f"no Prefect worker took work from {WORK_POOL} within {timeout:g} s")


def _uuid(execution_id: str) -> UUID:
    try:
        return UUID(execution_id)
    except ValueError:
        raise UsageError(f"{execution_id!r} is not an id of a Prefect flow run") from None
