"""The candidate on Prefect: its flows on a server of their own, every step answered.

The flows are called in this process: no worker is started, and nobody polls a queue.
"""

from __future__ import annotations

import contextvars
import importlib
import inspect
import logging
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, get_type_hints

from prefect import Flow, Task
from prefect.context import TaskRunContext
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from pydantic import TypeAdapter, ValidationError

from offcanvas.cutover.ways.plain import plain
from offcanvas.errors import UsageError, line_of
from offcanvas.shadow.answers import Answers, NoAnswer
from offcanvas.shadow.bodies import Bodies
from offcanvas.shadow.branches import Branches
from offcanvas.shadow.fences import Ran
from offcanvas.shadow.masks import Masks
from offcanvas.shadow.raised import error_of
from offcanvas.shadow.recording import Recorded
from offcanvas.shadow.replay import Replayed

#: Candidates at a time.
_AT_A_TIME = 4
_answers: contextvars.ContextVar[Answers] = contextvars.ContextVar("answers")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port to Prefect.

    Attributes:
        package: its name, "shop_prefect".
        flows: by the name of their function.
        steps: its tasks, by the name of their function; only fenced ones are ever executed.
        files: the source of its flows.
    """

    package: str
    flows: Mapping[str, Flow[Any, Any]]
    steps: Mapping[str, Task[Any, Any]]
    files: tuple[Path, ...]


def candidate(package: str) -> Candidate:
    """The port in a package.

    Raises:
        UsageError: there is none.
    """
    try:
        flows: Any = importlib.import_module(f"{package}.flows")
        tasks: Any = importlib.import_module(f"{package}.tasks")
    except ImportError as error:
        raise UsageError(
            f"{package}: no port to Prefect, as offcanvas port writes it ({line_of(error)})"
        ) from None
    return Candidate(
        package,
        {one.fn.__name__: one for one in vars(flows).values() if isinstance(one, Flow)},
        {one.fn.__name__: one for one in vars(tasks).values() if isinstance(one, Task)},
        (Path(flows.__file__),),
    )


def replay_prefect(
    url: str,
    found: Candidate,
    recordings: Sequence[Recorded],
    names: Mapping[str, str],
    masks: Masks,
    pure: Collection[str],
    bodies: Bodies,
    tell: Callable[[Replayed], None] = lambda _one: None,
) -> tuple[list[Replayed], Branches]:
    """Run the candidate of each recorded root; ``names`` are the app's tasks by short name.

    ``url`` is the API of a server that nobody else uses.

    Raises:
        UsageError: the port has no flow for a root.
    """
    for name in sorted({one.name for one in recordings}):
        _flow(found, name)
    branches = Branches(found.files)

    def one(recorded: Recorded) -> Replayed:
        mine = Answers(recorded, masks, names, pure)
        _answers.set(mine)
        value, error = _run(_flow(found, recorded.name), recorded.given)
        differences = tuple(mine.close(value, error))
        done = Replayed(recorded.root, recorded.name, differences, frozenset(mine.called))
        tell(done)
        return done

    logging.getLogger("prefect").setLevel(logging.CRITICAL)  # a step that fails is no news
    with (
        tempfile.TemporaryDirectory() as folder,
        temporary_settings(
            {
                PREFECT_API_URL: url,
                PREFECT_LOCAL_STORAGE_PATH: folder,
                PREFECT_LOGGING_TO_API_ENABLED: False,
            }
        ),
        _answered(found, bodies),
        branches.watched(),
        ThreadPoolExecutor(_AT_A_TIME) as pool,
    ):
        runs = [
            pool.submit(contextvars.copy_context().run, one, recorded) for recorded in recordings
        ]
        return [run.result() for run in runs], branches


def _flow(found: Candidate, name: str) -> Flow[Any, Any]:
    function = name.rpartition(":" if ":" in name else ".")[2]
    if function not in found.flows:
        there = ", ".join(sorted(found.flows))
        raise UsageError(f"{found.package} has no flow {function} for {name}; it has {there}")
    return found.flows[function]


def _run(flow: Flow[Any, Any], given: Mapping[str, Any]) -> tuple[Any, tuple[str, str] | None]:
    try:
        return plain(flow(**given)), None
    except NoAnswer as error:
        return None, (type(error).__name__, str(error))
    except Exception as error:  # whatever the flow raises is how it ends
        return None, (type(error).__name__, str(error))


@contextmanager
def _answered(found: Candidate, bodies: Bodies) -> Iterator[None]:
    """Steps are answered, and tried again at once."""
    before = {step: (task.fn, task.retry_delay_seconds) for step, task in found.steps.items()}
    for step, task in found.steps.items():
        task.fn = _answer(step, task.fn, bodies)
        task.retry_delay_seconds = [0]
    try:
        yield
    finally:
        for step, (fn, delay) in before.items():
            found.steps[step].fn, found.steps[step].retry_delay_seconds = fn, delay


def _answer(step: str, own: Callable[..., Any], bodies: Bodies) -> Callable[..., Any]:
    shape, returns = inspect.signature(own), _returned(own)

    def told(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        mine = _answers.get()
        given: Mapping[str, Any] = {}
        if not mine.is_handler(step):
            bound = shape.bind(*args, **kwargs)
            bound.apply_defaults()
            given = plain(bound.arguments)
        run = TaskRunContext.get()
        assert run is not None  # noqa: S101  # a step is called by Prefect, inside of its run
        call, attempt = str(run.task_run.id), run.task_run.run_count
        attempted = mine.answer(step, given, call, attempt)
        mine.tried(call, attempt)
        if attempted.state != "RETRY":
            mine.ended(step)
            if given:
                recorded = Ran(attempted.value, attempted.error)
                bodies.compare(
                    step, mine.named(step, given), recorded, lambda: own(*args, **kwargs)
                )
        if attempted.state != "SUCCESS":
            raise error_of(attempted)
        return _as(returns, attempted.value)

    if inspect.iscoroutinefunction(own):

        @wraps(own)
        async def answered_later(*args: Any, **kwargs: Any) -> Any:
            mine = _answers.get()
            if mine.is_pure(step):
                mine.called[step] += 1
                return await own(*args, **kwargs)
            return told(args, kwargs)

        return answered_later

    @wraps(own)
    def answered(*args: Any, **kwargs: Any) -> Any:
        mine = _answers.get()
        if mine.is_pure(step):
            mine.called[step] += 1
            return own(*args, **kwargs)
        return told(args, kwargs)

    return answered


def _returned(own: Callable[..., Any]) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(get_type_hints(own).get("return", Any))
    except Exception:  # a type that nobody can make of JSON: the value stays as it is
        return None


def _as(kind: TypeAdapter[Any] | None, value: Any) -> Any:
    """The recorded value as the step would have returned it: JSON has no tuples and no classes."""
    if kind is None:
        return value
    try:
        return kind.validate_python(value)
    except ValidationError:
        return value
