"""The caller's side of Temporal: start, wait, and read the records (`shared.contract`)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import timedelta
from typing import Any, TypeVar

import temporalio.client
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from shared import steps
from shared.contract import Health, Outcome, TaskSpan
from shared.errors import UsageError
from shared.settings import settings
from temporal_impl.connection import connect
from temporal_impl.failures import original, type_and_text
from temporal_impl.health import examine
from temporal_impl.options import TASK_QUEUE
from temporal_impl.ready import Ready
from temporal_impl.registry import workflow_of
from temporal_impl.spans import read_spans

Answer = TypeVar("Answer")

ENGINE = "temporal"
# Handed over as soon as the server has the workflow.
NOBODY_WAITS = "assign_stations_in_parallel"


class Client:
    """Temporal as `shared.contract.EngineClient` wants it.

    The SDK is asynchronous; its loop runs in a thread of its own, so that the methods here can
    be called from anywhere.
    """

    name = ENGINE

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="temporal-client", daemon=True
        )
        self._thread.start()
        self._connected: temporalio.client.Client | None = None

    def _run(self, coroutine: Coroutine[Any, Any, Answer], timeout: float | None = None) -> Answer:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def ask(
        self, question: Callable[[temporalio.client.Client], Coroutine[Any, Any, Answer]],
        within: float,
    ) -> Answer:  # fmt: skip
        """What a coroutine function of the SDK's client comes to, in its loop."""

        async def asked() -> Answer:
            return await question(await self._client())

        return self._run(asked(), within)

    async def _client(self) -> temporalio.client.Client:
        if self._connected is None:
            self._connected = await connect()
        return self._connected

    def worker_command(self, concurrency: int) -> list[str]:
        """The argument vector of one worker."""
        return [sys.executable, "-m", "temporal_impl", "worker", "--concurrency", str(concurrency)]

    def wait_for_worker(self, timeout: float) -> None:
        """Return once a worker has run a workflow and an activity that do nothing."""
        self._run(self._wait_for_worker(timeout))

    async def _wait_for_worker(self, timeout: float) -> None:
        client = await self._client()
        try:
            await client.execute_workflow(
                Ready.run,
                id=f"ready/{uuid.uuid4()}",
                task_queue=TASK_QUEUE,
                execution_timeout=timedelta(seconds=timeout),
            )
        except WorkflowFailureError as error:
            raise TimeoutError(
                f"no Temporal worker took work from {TASK_QUEUE} within {timeout:.0f} s"
            ) from error

    def start(self, variant: str, run_id: str) -> str:
        """Start a variant; returns the workflow's id, `<variant>/<run_id>`.

        A workflow of that id that runs or has ended is not run again, however it ended: what a
        failed run lacks is made up by the sweep.
        """
        name, message = workflow_of(variant, run_id)
        steps.begin_run(run_id, variant, ENGINE)
        return self._run(self._start(name, message, f"{variant}/{run_id}"))

    async def _start(self, name: str, message: Any, workflow_id: str) -> str:
        client = await self._client()
        # The error says that it has ended: `wait` gives its result.
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await client.start_workflow(
                name,
                message,
                id=workflow_id,
                task_queue=TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        return workflow_id

    def wait(self, execution_id: str, timeout: float) -> Outcome:
        """Wait for the result, the error, or that nobody waits for it."""
        if execution_id.startswith(f"{NOBODY_WAITS}/"):
            return Outcome()
        try:
            return self._run(self._wait(execution_id), timeout)
        except FutureTimeoutError:
            raise TimeoutError(f"{execution_id} has not ended after {timeout:g} s") from None

    async def _wait(self, workflow_id: str) -> Outcome:
        client = await self._client()
        try:
            return Outcome(total_pages=await client.get_workflow_handle(workflow_id).result())
        except WorkflowFailureError as error:
            cause, wrapping = original(error)
            kind, text = type_and_text(cause)
            return Outcome(error_type=kind, error_text=text, wrapped_in=" > ".join(wrapping))

    def spans(self, execution_id: str) -> list[TaskSpan]:
        """The activities of the workflow and its children, from their histories."""
        return self._run(self._spans(execution_id))

    async def _spans(self, workflow_id: str) -> list[TaskSpan]:
        return await read_spans(await self._client(), workflow_id)

    def health(self) -> Health:
        """Look at server, workers, queue and stuck workflows.

        Raises:
            UsageError: the server's address is not set, or another setting does not fit.
        """
        settings().required("temporal_address")
        return self._run(self._health())

    async def _health(self) -> Health:
        try:
            client = await self._client()
        except UsageError as error:
            return Health(engine=ENGINE, reachable=False, detail=str(error))
        return await examine(client)

    def close(self) -> None:
        """Stop the loop; the connection goes with it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._connected = None
