"""limits.py: steps with a time limit have a process of their own, as in Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from offcanvas.port.emit.parts import Parts
    from offcanvas.port.policy import Policy
    from offcanvas.port.script import Step

_LIMITS: Final = '''"""Time limits as Celery's: a step has a process of its own, ended at its limit.

A thread cannot be ended. The processes are forks of one that has imported {preload} and nothing
else: what a step needs set up (`django.setup()`) stands there.
"""

import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Callable
from functools import wraps
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["{preload}"])


class TimeLimitExceeded(Exception):
    """The step was ended at its time_limit."""


class SoftTimeLimitExceeded(Exception):
    """Raised in the step at its soft_time_limit."""


def limited(
    step: Callable[P, R], *, hard: float | None = None, soft: float | None = None
) -> Callable[P, R]:
    """The step in a process of its own: killed after `hard` seconds, and told after `soft`."""

    @wraps(step)
    def in_process(*args: P.args, **kwargs: P.kwargs) -> R:
        ours, theirs = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(
            target=_run, args=(theirs, soft, step, args, kwargs), daemon=True
        )
        process.start()
        theirs.close()
        try:
            ours.recv()  # it has begun
            if not ours.poll(hard):
                raise TimeLimitExceeded(f"{step.__name__} took longer than {hard} s")
            returned, value = ours.recv()
        except EOFError:
            process.join()
            why = f"the process of {step.__name__} ended with {process.exitcode}"
            raise RuntimeError(why) from None
        finally:
            ours.close()
            process.kill()
            process.join()
        if not returned:
            raise value
        result: R = value
        return result

    return in_process


def _run(theirs: Connection, soft: float | None, step: Any, args: Any, kwargs: Any) -> None:
    theirs.send("begun")
    try:
        if soft is not None:
            signal.signal(signal.SIGALRM, _told)
            signal.setitimer(signal.ITIMER_REAL, soft)
        answer = (True, step(*args, **kwargs))
    except Exception as error:
        answer = (False, _carried(error))
    if soft is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
    theirs.send(answer)


def _told(_number: int, _frame: object) -> None:
    raise SoftTimeLimitExceeded


def _carried(error: Exception) -> Exception:
    """The error with its traceback as a note, or one with its words if it cannot be sent."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
'''


def limits(preload: str) -> str:
    """The module; ``preload`` is what its processes have imported when they begin."""
    return _LIMITS.replace("{preload}", preload)


def limits_of(parts: Parts, step: Step, policy: Policy) -> tuple[float | None, float | None] | None:
    """The hard and the soft limit of a step that a process can hold; None if there is no such.

    A process is given the function by its name: one with a decorator around it, one that is given
    an ``Attempt``, which it changes, and Celery's own ``task.run`` stay in a thread.
    """
    hard, soft = policy.time_limit, policy.soft_time_limit
    if step.task is None or step.kind != "task" or (hard is None and soft is None):
        return None
    if parts.by_call or step.task.decorators:
        return None
    body, _ = parts.body(step)
    return None if body.attempt or body.todo is not None else (hard, soft)


def words(policy: Policy, *, held: bool) -> tuple[str, str]:
    """The code for a time limit and what is said; ``held``: a process holds it."""
    told = [
        f"{name}={limit:g}"
        for name, limit in (
            ("time_limit", policy.time_limit),
            ("soft_time_limit", policy.soft_time_limit),
        )
        if limit is not None
    ]
    said = " and ".join(told)
    if held:
        return "PORT113", f"{said}: the step has a process of its own (limits.py)"
    return "PORT147", f"{said}: no thread can be ended, and the step works on until it returns"
