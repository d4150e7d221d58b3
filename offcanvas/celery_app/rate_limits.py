"""What a task's ``rate_limit`` says, as Celery's workers read it.

A task has it from its decorator, its class, ``task_annotations`` or ``task_default_rate_limit``;
Celery has put it on the task by the time that the app is finalized.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celery.utils.time import rate

from offcanvas.errors import UsageError

if TYPE_CHECKING:
    from celery import Celery


def per_second(task: Any) -> float:
    """How many of the task may begin in a second in one worker; 0 for any number.

    Raises:
        UsageError: it cannot be read. A Celery worker would not start.
    """
    given = task.rate_limit
    if not given:
        return 0.0
    try:
        found = float(rate(given))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        found = -1.0
    if not found >= 0.0:  # nan too
        raise UsageError(
            f"{task.name}: rate_limit={given!r} is no rate limit; use a number of tasks a second, "
            "or a text such as '10/s', '100/m' and '1000/h'"
        )
    return found


def require_rate_limits(app: Celery, names: Iterable[str]) -> None:
    """See that the limits of these tasks can be read, as far as the app knows them.

    Raises:
        UsageError: one cannot.
    """
    for name in names:
        task = app.tasks.get(name)
        if task is not None:
            per_second(task)
