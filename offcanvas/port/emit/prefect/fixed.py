"""Parts of files that are the same in every port, but for what a port does not need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fixed:
    """A definition of a fixed text, and the imports it needs."""

    imports: tuple[str, ...]
    text: str


FAN_OUT: Final = '''"""Side by side, so many at a time."""

from collections.abc import Iterable
from typing import TypeVar

from prefect.futures import PrefectFuture, wait

R = TypeVar("R")


def all_of(futures: Iterable[PrefectFuture[R]], at_a_time: int = 100) -> list[R]:
    """The results in order. All tasks end, as in a chord's header, before an error is raised.

    A generator submits as it is read, so that no more than `at_a_time` are under way; `map` would
    submit all of them at once, with a thread and three requests to the server for each.
    """
    submitted: list[PrefectFuture[R]] = []
    for future in futures:
        submitted.append(future)
        if len(submitted) >= at_a_time:
            submitted[-at_a_time].wait()
    wait(submitted)
    return [future.result() for future in submitted]
'''

STEP: Final = Fixed(
    ("from typing import TypedDict", "from prefect.cache_policies import NO_CACHE, CachePolicy"),
    """class Step(TypedDict):
    cache_policy: CachePolicy
    persist_result: bool


STEP = Step(cache_policy=NO_CACHE, persist_result=False)
""",
)

RETRIED_ON: Final = Fixed(
    (
        "from collections.abc import Callable",
        "from typing import Any",
        "from prefect.client.schemas.objects import State, TaskRun",
        "from prefect.states import get_state_exception",
        "from prefect.tasks import Task",
    ),
    '''Condition = Callable[[Task[..., Any], TaskRun, State[Any]], bool]


def retried_on(
    *errors: type[BaseException], but: tuple[type[BaseException], ...] = ()
) -> Condition:
    """Only these are tried again, as with autoretry_for; Prefect would try all."""

    def again(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
        error = get_state_exception(state)
        return isinstance(error, errors) and not isinstance(error, but)

    return again
''',
)

ASKED_AGAIN: Final = Fixed(
    (
        "import random",
        "import time",
        "from collections.abc import Callable, Sequence",
        "from functools import wraps",
        "from typing import Any, ParamSpec, TypeVar",
        "from prefect.runtime import task_run",
    ),
    '''A = ParamSpec("A")
S = TypeVar("S")


class Again(Exception):
    """To be tried again: the wait is over."""


def asked_again(
    asked: type[Any],
    *,
    limit: int | None,
    wait: float,
    on: tuple[type[BaseException], ...] = (),
    but: tuple[type[BaseException], ...] = (),
    delays: Sequence[float] = (0,),
    jitter: bool = False,
) -> Callable[[Callable[A, S]], Callable[A, S]]:
    """Tried again as the step asks for it, and after the errors `on` at most `limit` times.

    Each way has a wait of its own, which Prefect does not know: it is slept here.
    """

    def decorate(step: Callable[A, S]) -> Callable[A, S]:
        @wraps(step)
        def attempt(*args: A.args, **kwargs: A.kwargs) -> S:
            done = (task_run.run_count or 1) - 1
            try:
                return step(*args, **kwargs)
            except Exception as error:
                cause: BaseException = error
                most, after = limit, delays[min(done, len(delays) - 1)]
                if isinstance(error, asked):
                    cause = error.error or error
                    most = limit if error.limit is None else error.limit
                    after = wait if error.after is None else error.after
                elif not isinstance(error, on) or isinstance(error, but):
                    raise
                elif jitter:
                    after *= random.random()
                if most is not None and done >= most:
                    raise cause from (None if cause is error else error)
                time.sleep(after)
                raise Again(str(cause)) from error

        return attempt

    return decorate
''',
)

AS_ASKED: Final = Fixed(
    ("import json", "from typing import Any", "from prefect.runtime import task_run"),
    '''Arguments = tuple[list[Any], dict[str, Any]]
#: What the next attempt is called with, by the id of its task run: all of one are in one process.
TOLD: dict[str, Arguments] = {}


def as_asked(args: list[Any], kwargs: dict[str, Any]) -> Arguments:
    """What an attempt before this one has asked to be called with; `args` and `kwargs` at first."""
    return TOLD.get(str(task_run.id), (args, kwargs))


def tell(args: Any, kwargs: Any) -> None:
    """Tell the next attempt its arguments, as JSON carries them."""
    args, kwargs = json.loads(json.dumps([args, kwargs]))
    if not (isinstance(args, list) and isinstance(kwargs, dict)):
        raise TypeError("args are a list, kwargs a dictionary")
    TOLD[str(task_run.id)] = (args, kwargs)
''',
)

#: In ``ASKED_AGAIN``, where an attempt may ask for other arguments than its own.
_TOLD: Final = (
    (
        "                time.sleep(after)\n",
        """                if isinstance(error, asked) and error.args_again is not None:
                    tell(error.args_again, error.kwargs_again)
                time.sleep(after)
                ended = False
""",
    ),
    (
        "            try:\n                return step(",
        "            ended = True\n            try:\n                return step(",
    ),
    (
        "                raise Again(str(cause)) from error\n",
        """                raise Again(str(cause)) from error
            finally:
                if ended:
                    TOLD.pop(str(task_run.id), None)
""",
    ),
)


def asked_again(*, told: bool) -> Fixed:
    """``asked_again``; told: an attempt may tell the next one its arguments."""
    text = ASKED_AGAIN.text
    for before, after in _TOLD if told else ():
        text = text.replace(before, after)
    return Fixed(ASKED_AGAIN.imports, text)


LOGGED: Final = Fixed(
    (
        "from collections.abc import Callable",
        "from typing import ParamSpec",
        "from prefect import get_run_logger",
    ),
    '''P = ParamSpec("P")


def logged(step: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """A callback: its failure is logged and nobody else's, as in Celery."""
    try:
        step(*args, **kwargs)
    except Exception:
        get_run_logger().exception("A callback failed")
''',
)

SLEEP_UNTIL: Final = Fixed(
    ("import time",),
    '''def sleep_until(moment: float) -> None:
    """What `eta` was: not before this moment, in seconds since 1970."""
    time.sleep(max(0.0, moment - time.time()))
''',
)

EXPIRES: Final = Fixed(
    (
        "from collections.abc import Callable",
        "from datetime import UTC, datetime",
        "from functools import wraps",
        "from typing import ParamSpec, TypeVar",
        "from prefect.context import TaskRunContext",
    ),
    '''Q = ParamSpec("Q")
R = TypeVar("R")


class Expired(Exception):
    """The step began later than it was worth while."""


def expires(seconds: float) -> Callable[[Callable[Q, R]], Callable[Q, R]]:
    """Not begun later than this after it was submitted."""

    def decorate(step: Callable[Q, R]) -> Callable[Q, R]:
        @wraps(step)
        def in_time(*args: Q.args, **kwargs: Q.kwargs) -> R:
            context = TaskRunContext.get()
            due = context.task_run.expected_start_time if context is not None else None
            if due is not None and (datetime.now(UTC) - due).total_seconds() > seconds:
                raise Expired(f"{step.__name__} was due at {due}, and expires={seconds:g}")
            return step(*args, **kwargs)

        return in_time

    return decorate
''',
)

#: Definitions of options.py by the name that other modules import.
OPTIONS: Final = {
    "STEP": STEP,
    "retried_on": RETRIED_ON,
    "as_asked": AS_ASKED,
    "asked_again": ASKED_AGAIN,
    "logged": LOGGED,
    "sleep_until": SLEEP_UNTIL,
    "expires": EXPIRES,
}
