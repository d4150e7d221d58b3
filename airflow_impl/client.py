"""The caller's side of Airflow: start, wait, and read the records (`shared.contract`)."""

from __future__ import annotations

import sys
import time
from typing import Any
from uuid import uuid4

from airflow_impl.api import Api, UnreachableError, await_dag, run_path, segment
from airflow_impl.health import examine, live_schedulers
from airflow_impl.names import ENGINE, POOL
from airflow_impl.outcome import outcome_of
from airflow_impl.registry import ANSWERS, NOBODY_WAITS, Call, call_of
from airflow_impl.spans import read_spans
from shared import steps
from shared.contract import Health, Outcome, TaskSpan
from shared.errors import UsageError
from shared.settings import settings

POLL_SECONDS = 0.1


class Client:
    """Airflow as `shared.contract.EngineClient` wants it.

    The id of an execution is `dag/dag run`: Airflow's key of a DAG run.
    """

    name = ENGINE

    def __init__(self) -> None:
        self._connected: Api | None = None
        self._probe: tuple[str, str] | None = None

    @property
    def _api(self) -> Api:
        if self._connected is None:
            self._connected = Api()
        return self._connected

    def worker_command(self, concurrency: int) -> list[str]:
        """The argument vector of one worker."""
        return [sys.executable, "-m", "airflow_impl", "worker", "--concurrency", str(concurrency)]

    def wait_for_worker(self, timeout: float) -> None:
        """Return once a DAG run with one step that does nothing has ended.

        A scheduler that was killed counts as alive for a while.
        """
        deadline = time.monotonic() + timeout
        while not live_schedulers(self._api):
            if time.monotonic() > deadline:
                raise _nobody_works(timeout)
            time.sleep(5 * POLL_SECONDS)
        if self._probe is None:
            call = Call("noop", {"run_id": f"ready-{uuid4().hex}", "count": 1})
            await_dag(self._api, call.dag_id, deadline)
            self._create(call, call.parameters["run_id"])
            self._probe = (call.dag_id, call.parameters["run_id"])
        try:
            self._wait(*self._probe, deadline - time.monotonic())
        except TimeoutError:  # a further call waits for the same one
            raise _nobody_works(timeout) from None
        self._probe = None

    def start(self, variant: str, run_id: str) -> str:
        """Start a variant; returns the key of its DAG run.

        A second start finds the first one's DAG run, whatever has become of it. Where the server
        does not answer, the run is entered all the same, and the sweep starts it later; where the
        DAG is not there or does not import, nothing is entered.

        Raises:
            UsageError: the server does not answer, or has no such DAG.
        """
        call = call_of(variant, run_id)
        try:
            await_dag(self._api, call.dag_id)
        except UnreachableError as error:
            steps.begin_run(run_id, variant, ENGINE)
            raise UnreachableError(
                f"{error}; run {run_id!r} is entered, and the next sweep starts it"
            ) from None
        steps.begin_run(run_id, variant, ENGINE)
        self._create(call, run_id)
        return f"{call.dag_id}/{run_id}"

    def _create(self, call: Call, run_id: str) -> None:
        if self._api.find(f"/pools/{POOL}") is None:  # no worker has been here: it sets the slots
            self._api.create("/pools", {"name": POOL, "slots": settings().concurrency})
        self._api.create(
            f"/dags/{segment(call.dag_id)}/dagRuns",
            {"dag_run_id": run_id, "conf": call.parameters, "logical_date": None},
        )

    def wait(self, execution_id: str, timeout: float) -> Outcome:
        """Wait for the answer, the error, or that nobody waits for it."""
        dag_id, run_id = _key(execution_id)
        if dag_id == NOBODY_WAITS:
            return Outcome()
        run = self._wait(dag_id, run_id, timeout)
        return outcome_of(self._api, run, ANSWERS.get(dag_id))

    def _wait(self, dag_id: str, run_id: str, timeout: float) -> dict[str, Any]:
        began = time.monotonic()
        while True:
            run = self._api.find(run_path(dag_id, run_id))
            if run is None:
                raise UsageError(f"{self._api.address} has no DAG run {dag_id}/{run_id}")
            if run["state"] in {"success", "failed"}:
                return run
            waited = time.monotonic() - began
            if waited > timeout:
                raise TimeoutError(f"DAG run {dag_id}/{run_id} has not ended after {timeout:g} s")
            # Each question is work for the server that the tasks need: right to a twentieth.
            time.sleep(min(1.0, max(POLL_SECONDS, waited / 20)))

    def spans(self, execution_id: str) -> list[TaskSpan]:
        """The task instances of the DAG run, and of `rolls` where it has handed them over."""
        return read_spans(self._api, *_key(execution_id))

    def health(self) -> Health:
        """Look at server, schedulers, queue, broken DAGs and stuck DAG runs.

        Raises:
            UsageError: the address is none, or what answers there is no server for us.
        """
        try:
            return examine(self._api)
        except UnreachableError as error:
            return Health(engine=ENGINE, reachable=False, detail=str(error))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None


def _nobody_works(timeout: float) -> TimeoutError:
    return TimeoutError(f"no Airflow scheduler has executed a task within {timeout:g} s")


def _key(execution_id: str) -> tuple[str, str]:
    dag_id, _, run_id = execution_id.partition("/")
    if not (dag_id and run_id):
        raise UsageError(f"{execution_id!r} is not a key of a DAG run: use dag/run")
    return dag_id, run_id
