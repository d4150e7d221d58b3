"""Files that are the same in every port, but for what a port does not need."""

from __future__ import annotations

FAILURES = '''"""Which errors are worth another attempt, and what an error callback is told."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

P = ParamSpec("P")
R = TypeVar("R")

'''

RETRIED_ON = '''
def retried_on(
    *errors: type[BaseException], but: tuple[type[BaseException], ...] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Only these are tried again, as with autoretry_for; Temporal would try all."""

    def decorate(step: Callable[P, R]) -> Callable[P, R]:
        @wraps(step)
        def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return step(*args, **kwargs)
            except Exception as error:
                if isinstance(error, errors) and not isinstance(error, but):
                    raise
                raise ApplicationError(
                    str(error), type=type(error).__name__, non_retryable=True
                ) from error

        return attempt

    return decorate
'''

ASKED_AGAIN = '''
def asked_again(
    asked: type[Any],
    *,
    limit: int | None,
    wait: float,
    on: tuple[type[BaseException], ...] = (),
    but: tuple[type[BaseException], ...] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Tried again as the step asks for it, and after the errors `on` at most `limit` times."""

    def decorate(step: Callable[P, R]) -> Callable[P, R]:
        @wraps(step)
        def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
            done = activity.info().attempt - 1
            try:
                return step(*args, **kwargs)
            except Exception as error:
                if not isinstance(error, asked):
                    if isinstance(error, on) and not isinstance(error, but):
                        if limit is None or done < limit:
                            raise
                    raise ApplicationError(
                        str(error), type=type(error).__name__, non_retryable=True
                    ) from error
                cause = error.error or error
                most = limit if error.limit is None else error.limit
                seconds = wait if error.after is None else error.after
                after = timedelta(seconds=max(0.001, seconds))  # none would be the policy's
                last = most is not None and done >= most
                raise ApplicationError(
                    str(cause),
                    type=type(cause).__name__,
                    non_retryable=last,
                    next_retry_delay=after,
                ) from error

        return attempt

    return decorate
'''

#: In ``ASKED_AGAIN``, where an attempt may ask for other arguments than its own.
TOLD = """                last = most is not None and done >= most
                if not last and error.args_again is not None:
                    tell(error.args_again, error.kwargs_again)
"""

AS_ASKED = '''
#: What the next attempt is called with, by the token of the one that asks for it.
_TOLD: dict[bytes, list[Any]] = {}
_TELLING = Lock()


def as_asked(args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """What an attempt before this one has asked to be called with; `args` and `kwargs` at first."""
    told = activity.info().heartbeat_details
    return (told[0], told[1]) if told else (args, kwargs)


def tell(args: Any, kwargs: Any) -> None:
    """Tell the next attempt its arguments, by a heartbeat; if it cannot be told, there is none."""
    try:
        told = json.loads(json.dumps([args, kwargs]))
        if not (isinstance(told[0], list) and isinstance(told[1], dict)):
            raise TypeError("args are a list, kwargs a dictionary")
        with _TELLING:
            if activity.info().heartbeat_timeout:
                _TOLD[activity.info().task_token] = told
            activity.heartbeat(*told)
    except Exception as error:
        raise ApplicationError(
            f"The next attempt cannot be told its arguments: {error}",
            type=type(error).__name__,
            non_retryable=True,
        ) from error


def beat_again() -> None:
    """A heartbeat that says what the last one has said."""
    info = activity.info()
    with _TELLING:
        activity.heartbeat(*_TOLD.get(info.task_token, info.heartbeat_details))


def forget(token: bytes) -> None:
    """The attempt of this token has ended."""
    _TOLD.pop(token, None)
'''

KIND_AND_TEXT = '''
def kind_and_text(failure: ActivityError) -> tuple[str, str]:
    """The step's own error: its class name and message."""
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        return cause.type or type(cause).__name__, cause.message
    return type(cause).__name__, str(cause or failure)
'''

ENDS_CHAIN = '''
def ends_chain(failure: ActivityError) -> bool:
    """Whether a step said that nothing follows it, as with `self.request.chain = None`."""
    return isinstance(failure.cause, ApplicationError) and failure.cause.type == "ChainEnded"
'''

LOGGED = '''
async def logged(call: Coroutine[Any, Any, object]) -> None:
    """A callback: its failure is logged and nobody else's, as in Celery."""
    try:
        await call
    except ActivityError as failure:
        if is_cancelled_exception(failure):
            raise
        workflow.logger.exception("A callback failed")
'''

FAN_OUT = '''"""Side by side, so many at a time."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

R = TypeVar("R")
'''

ALL_OF = '''

async def all_of(calls: Iterable[Coroutine[Any, Any, R]], at_a_time: int = 100) -> list[R]:
    """The results in order. All calls end, as in a chord's header, before an error is raised."""
    turns = asyncio.Semaphore(at_a_time)

    async def in_turn(call: Coroutine[Any, Any, R]) -> R:
        async with turns:
            return await call

    ended = await asyncio.gather(*map(in_turn, calls), return_exceptions=True)
    results: list[R] = []
    for one in ended:
        if isinstance(one, BaseException):
            raise one
        results.append(one)
    return results
'''

FAN_OUT_AND_SLICES = '''"""Side by side, so many at a time, and so many in one history."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError

Item = TypeVar("Item")
R = TypeVar("R")
G = TypeVar("G", contravariant=True)

#: Members in one history: it ends at 51,200 events, and each member takes up to six for each step.
SLICE = 500
'''

IN_SLICES = '''

class Slice(Protocol[G, R]):
    """A workflow that does a fan-out for some of its items."""

    async def run(self, given: G) -> list[R]: ...


async def in_slices(
    of: Callable[[], Slice[G, R]],
    items: Iterable[Item],
    given: Callable[[list[Item]], G],
    at_a_time: int = 4,
) -> list[R]:
    """All items in this history, or more of them than SLICE in child workflows, a slice each."""
    listed, one = list(items), of()
    if len(listed) <= SLICE:
        return await one.run(given(listed))
    starts = range(0, len(listed), SLICE)
    apart = (_apart(one, given(listed[start : start + SLICE])) for start in starts)
    return [result for results in await all_of(apart, at_a_time) for result in results]


async def _apart(one: Slice[G, R], given: G) -> list[R]:
    try:
        return await workflow.execute_child_workflow(type(one).run, given)
    except ChildWorkflowError as failure:
        if isinstance(failure.cause, ActivityError):
            # As if the step were one of this workflow's.
            raise failure.cause from failure.cause.cause
        raise
'''

HEARTBEATS = '''"""The worker beats for activities that have a heartbeat timeout."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Heartbeats(Interceptor):
    """Beats for every activity that has a heartbeat timeout, as long as this process lives."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if not timeout:
            return await super().execute_activity(input)

        async def beat() -> None:
            while True:
                # In a thread, as a step beats: in the loop of the worker it would wait for itself.
                with suppress(TimeoutError):  # the worker is busy; the next beat tells
                    await asyncio.to_thread(activity.heartbeat)
                await asyncio.sleep(timeout.total_seconds() / 3)

        beating = asyncio.create_task(beat())
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()
'''


def with_imports(failures: str) -> str:
    """failures.py with what ``AS_ASKED`` imports."""
    text = failures.replace("from collections.abc", "import json\nfrom collections.abc", 1)
    return text.replace("from typing", "from threading import Lock\nfrom typing", 1)


def heartbeats(package: str, *, told: bool) -> str:
    """heartbeats.py; ``told``: a beat repeats what an attempt has told the next one."""
    if not told:
        return HEARTBEATS
    text = HEARTBEATS.replace("to_thread(activity.heartbeat)", "to_thread(beat_again)")
    text = text.replace(
        "            beating.cancel()\n",
        "            beating.cancel()\n"
        "            # A last beat may be under way, and must not say anything else.\n"
        "            token = activity.info().task_token\n"
        "            asyncio.get_running_loop().call_later(60, forget, token)\n",
    )
    last = "ExecuteActivityInput, Interceptor\n"
    ours = f"\nfrom {package}.failures import beat_again, forget\n"
    return text.replace(last, f"{last}{ours}")


def fan_out(*, slices: bool) -> str:
    """fan_out.py; ``slices``: with child workflows for what is wide."""
    return FAN_OUT_AND_SLICES + ALL_OF + IN_SLICES if slices else FAN_OUT + ALL_OF
