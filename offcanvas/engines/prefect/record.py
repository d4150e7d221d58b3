"""A Celery task as a task run of Prefect: its name, its attempts, its state, what it came after.

All attempts at a task are one task run: what ``self.retry`` decides is Prefect's own retry, with
the delay that the task has asked for. The work is done elsewhere; here it is only told.
"""

from __future__ import annotations

import asyncio
import copy
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import RunInput, State, StateType, TaskRunResult
from prefect.context import TaskRunContext
from prefect.events.worker import EventsWorker
from prefect.task_engine import run_task_async

from offcanvas.canvas.calls import (
    FAILURE,
    IGNORED,
    REFUSED,
    REPLACED,
    RETRY,
    REVOKED,
    ErrorWire,
    TaskCall,
    TaskOutcome,
)
from offcanvas.engines.batches import told
from offcanvas.errors import EngineError

#: States of Prefect by the outcome of a task: the type, and a name where Prefect has none for it.
_STATES = {
    FAILURE: (StateType.FAILED, None),
    REFUSED: (StateType.FAILED, "Refused"),
    REVOKED: (StateType.CANCELLED, "Revoked"),
    IGNORED: (StateType.COMPLETED, "Ignored"),
    REPLACED: (StateType.COMPLETED, "Replaced"),
}
_LIMITS = {"TimeLimitExceeded", "SoftTimeLimitExceeded"}

#: Events that Prefect's client may have in hand before another task begins.
BACKLOG = 500

Work = Callable[[], Awaitable[TaskOutcome]]


class RetriedError(Exception):
    """The task wants another attempt."""


def state_of(state: str, error: ErrorWire | None) -> State[Any]:
    """How Prefect shows an outcome; an error is a message, not an object to be stored."""
    kind, name = _STATES.get(state, (StateType.COMPLETED, None))
    if error is None:
        return State(type=kind, name=name)
    if error["exc_type"] in _LIMITS:
        name = "TimedOut"
    return State(type=kind, name=name, message=text_of(error))


def state_of_batch(calls: Sequence[TaskCall], outcomes: Sequence[TaskOutcome]) -> State[Any]:
    """How Prefect shows a batch: Failed if one of its members has; the message says which."""
    text = told(calls, [outcome.to_json() for outcome in outcomes])
    failed = any(outcome.state in {FAILURE, REFUSED} for outcome in outcomes)
    return State(type=StateType.FAILED if failed else StateType.COMPLETED, message=text)


def text_of(error: ErrorWire) -> str:
    """``ValueError('boom', 1)``."""
    args = error["exc_message"]
    args = args if isinstance(args, list | tuple) else [args]
    return f"{error['exc_type']}({', '.join(map(repr, args))})"[:2_000]


async def _attempt(record: Record) -> State[Any]:
    return await record.attempt_of_prefect()


#: What all tasks have in common. Without NO_CACHE two equal calls in one flow could be one.
_TEMPLATE = Task(
    fn=_attempt,
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
    retry_delay_seconds=0,
    task_run_name="{record.label}",
)


async def events_sent() -> None:
    """Wait until Prefect's client has no more than ``BACKLOG`` events to send.

    It keeps as many as there are, some kilobytes each with all that they refer to, and a wide
    canvas makes them faster than the server takes them.
    """
    while EventsWorker.instance()._queue.qsize() > BACKLOG:  # noqa: SLF001  # nothing else tells
        await asyncio.sleep(0.01)


class Record:
    """The task run of one task, or of a batch.

    ``label`` is its name where that is another one than the task's, ``shown`` its state at the end.
    """

    def __init__(
        self,
        call: TaskCall,
        after: Iterable[UUID],
        label: str = "",
        shown: Callable[[TaskOutcome], State[Any]] | None = None,
    ) -> None:
        self.label = label or _label(call)
        self._shown = shown or (lambda outcome: state_of(outcome.state, outcome.error))
        self.task_run_id: UUID | None = None
        self._inputs: set[RunInput] = {TaskRunResult(id=one) for one in after}
        self._task = copy.copy(_TEMPLATE)
        self._task.name = self._task.task_key = call.name
        self._work: asyncio.Queue[Work] = asyncio.Queue()
        self._outcome: asyncio.Future[TaskOutcome] = asyncio.Future()
        self._run: asyncio.Task[Any] | None = None
        self._retries = 0

    async def attempt(self, work: Work) -> TaskOutcome:
        """Have ``work`` done as the next attempt; whatever it raises is raised here."""
        self._outcome = asyncio.Future()
        self._work.put_nowait(work)
        if self._run is None:
            self._run = asyncio.create_task(self._in_prefect())
        try:
            await asyncio.wait({self._outcome, self._run}, return_when=asyncio.FIRST_COMPLETED)
            if self._run.done() or self._outcome.result().state != RETRY:
                await self._run
        except BaseException:
            self.close()
            raise
        if not self._outcome.done():
            raise EngineError(f"Prefect has ended the task run of {self.label} before the task")
        return self._outcome.result()

    def close(self) -> None:
        """No further attempt will come."""
        if self._run is not None:
            self._run.cancel()

    async def _in_prefect(self) -> None:
        parameters = {"record": self}
        # A task run that is there already has no Pending: an event less of three.
        task_run = await self._task.create_local_run(
            parameters=parameters, extra_task_inputs={"record": self._inputs}
        )
        await run_task_async(
            self._task, task_run=task_run, parameters=parameters, return_type="state"
        )

    async def attempt_of_prefect(self) -> State[Any]:
        """Called by Prefect's engine, once for each attempt."""
        context = TaskRunContext.get()
        self.task_run_id = None if context is None else context.task_run.id
        work = await self._work.get()
        try:
            outcome = await work()
        except BaseException as error:
            if not self._outcome.done():
                self._outcome.set_exception(error)
            raise
        if outcome.state == RETRY:
            # Prefect reads both when the attempt has failed.
            self._retries += 1
            self._task.retries = self._retries
            self._task.retry_delay_seconds = [outcome.delay]
            self._outcome.set_result(outcome)
            raise RetriedError(f"attempt {self._retries}; the next in {outcome.delay:g} s")
        self._outcome.set_result(outcome)
        return self._shown(outcome)


def _label(call: TaskCall) -> str:
    index = call.group_index
    return sys.intern(call.name) if index is None else f"{call.name}[{index}]"
