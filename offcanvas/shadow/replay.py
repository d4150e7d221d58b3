"""The candidate on Temporal: its workflows in a namespace of their own, every step answered."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from offcanvas.errors import UsageError, line_of
from offcanvas.port.names import camel
from offcanvas.shadow.answers import Answers, Difference, NoAnswer
from offcanvas.shadow.bodies import Bodies
from offcanvas.shadow.branches import Branches
from offcanvas.shadow.fences import Ran
from offcanvas.shadow.masks import Masks
from offcanvas.shadow.recording import Recorded

#: Candidates at a time; seconds for one, beyond which it hangs.
_AT_A_TIME, _WITHIN = 16, 60.0
_FOUND = "offcanvas.NoAnswer"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one root."""

    root: str
    name: str
    differences: tuple[Difference, ...]
    steps: frozenset[str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port to Temporal.

    Attributes:
        package: its name, "shop_temporal".
        workflows: by name.
        activities: its own, by name; only fenced ones are ever executed.
        files: the source of its workflows.
    """

    package: str
    workflows: Mapping[str, Any]
    activities: Mapping[str, Callable[..., Any]]
    files: tuple[Path, ...] = ()


def candidate(package: str) -> Candidate:
    """The port in a package.

    Raises:
        UsageError: there is none.
    """
    try:
        worker: Any = importlib.import_module(f"{package}.worker")
        workflows = {one.__name__: one for one in worker.WORKFLOWS}
        activities = {one.__name__: one for one in worker.ACTIVITIES}
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{package}: no port to Temporal, as offcanvas port writes it ({line_of(error)})"
        ) from None
    files = {Path(inspect.getfile(one)) for one in workflows.values()}
    return Candidate(package, workflows, activities, tuple(sorted(files)))


async def replay(
    client: Client,
    found: Candidate,
    recordings: Sequence[Recorded],
    names: Mapping[str, str],
    masks: Masks,
    pure: Collection[str] = (),
    bodies: Bodies | None = None,
    branches: Branches | None = None,
    tell: Callable[[Replayed], None] = lambda _one: None,
) -> list[Replayed]:
    """Run the candidate of each recorded root; ``names`` are the app's tasks by short name.

    ``bodies`` executes those that have a fence, and ``branches`` notes which ones were taken.

    Raises:
        UsageError: the port has no workflow for a root.
    """
    for name in sorted({one.name for one in recordings}):
        _workflow(found, name)
    answers: dict[str, Answers] = {}
    queue = f"offcanvas-shadow-{uuid4().hex}"

    @activity.defn(dynamic=True)
    async def answer(args: Sequence[RawValue]) -> Any:
        """One for all steps."""
        info = activity.info()
        mine = answers[info.workflow_id or ""]
        step = info.activity_type
        values = [activity.payload_converter().from_payload(one.payload) for one in args]
        given = values[0] if len(values) == 1 else values
        if mine.is_pure(step):
            mine.called[step] += 1
            return await _executed(found.activities[step], args)
        call, attempt = info.activity_id, info.attempt
        try:
            told = mine.answer(step, given if values else {}, call, attempt)
        except NoAnswer as error:
            raise ApplicationError(str(error), type=_FOUND, non_retryable=True) from None
        mine.tried(call, attempt)
        if told.state != "RETRY":
            mine.ended(step)
            if bodies is not None and not mine.is_handler(step):
                named = mine.named(step, given if values else {})
                recorded = Ran(told.value, told.error)
                body = _body(found.activities.get(step), activity.payload_converter(), args)
                await asyncio.to_thread(bodies.compare, step, named, recorded, body)
        if told.state == "SUCCESS":
            return told.value
        kind, text = told.error or ("Exception", "")
        retried = _retried_on(found.activities.get(step))
        raise ApplicationError(
            text,
            type=kind,
            non_retryable=retried is not None and not retried & set(told.kinds),
            # What Celery did not try again, the port may: it then asks once more, and is found out.
            next_retry_delay=timedelta(milliseconds=1),
        )

    turns = asyncio.Semaphore(_AT_A_TIME)

    async def one(recorded: Recorded) -> Replayed:
        async with turns:
            mine = answers[recorded.root] = Answers(recorded, masks, names, pure)
            value, error = await _run(client, found, recorded, queue)
            known = tuple(mine.close(value, error))
            done = Replayed(recorded.root, recorded.name, known, frozenset(mine.called))
            del answers[recorded.root]
            tell(done)
            return done

    with branches.watched() if branches else nullcontext():
        async with Worker(
            client,
            task_queue=queue,
            workflows=list(found.workflows.values()),
            activities=[answer],
            max_concurrent_activities=50,
        ):
            return await asyncio.gather(*map(one, recordings))


def _workflow(found: Candidate, name: str) -> str:
    function = name.rpartition(":" if ":" in name else ".")[2]
    workflow = camel(function)
    if workflow not in found.workflows:
        there = ", ".join(sorted(found.workflows))
        raise UsageError(f"{found.package} has no workflow {workflow} for {name}; it has {there}")
    return workflow


async def _run(
    client: Client, found: Candidate, recorded: Recorded, queue: str
) -> tuple[Any, tuple[str, str] | None]:
    args = [dict(recorded.given)] if recorded.given else []
    try:
        handle: Any = await client.start_workflow(
            _workflow(found, recorded.name),
            args=args,
            id=recorded.root,
            task_queue=queue,
            run_timeout=timedelta(seconds=_WITHIN),
        )
        return await handle.result(), None
    except WorkflowFailureError as failure:
        cause: BaseException | None = failure
        while cause is not None and not isinstance(cause, ApplicationError):
            cause = cause.__cause__
        if isinstance(cause, ApplicationError):
            return None, (cause.type or "Exception", cause.message)
        inner = failure.cause or failure
        return None, (type(inner).__name__, str(inner))


def _retried_on(step: Callable[..., Any] | None) -> set[str] | None:
    """Names of the errors after which the port tries the step again; None for all."""
    code, cells = getattr(step, "__code__", None), getattr(step, "__closure__", None) or ()
    if code is None or "errors" not in code.co_freevars:
        return None
    errors = dict(zip(code.co_freevars, cells, strict=True))["errors"].cell_contents
    return {one.__name__ for one in errors}


async def _executed(step: Callable[..., Any], args: Sequence[RawValue]) -> Any:
    """The body of a step that only reads."""
    made = step(*_typed(step, activity.payload_converter(), args))
    return await made if inspect.isawaitable(made) else made


def _body(
    step: Callable[..., Any] | None, converter: PayloadConverter, args: Sequence[RawValue]
) -> Callable[[], Any] | None:
    """The same for a thread."""
    if step is None:
        return None

    def body() -> Any:
        made = step(*_typed(step, converter, args))
        return asyncio.run(_awaited(made)) if inspect.isawaitable(made) else made

    return body


async def _awaited(made: Any) -> Any:
    return await made


def _typed(
    step: Callable[..., Any], converter: PayloadConverter, args: Sequence[RawValue]
) -> list[Any]:
    hints = get_type_hints(step)
    shape = list(inspect.signature(step).parameters)
    return [
        converter.from_payload(one.payload, hints.get(name, object))
        for name, one in zip(shape, args, strict=False)
    ]
