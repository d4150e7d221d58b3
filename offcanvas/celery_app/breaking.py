"""One task of a run that is held, raises or hangs: what `compare --faults` does to a canvas.

A process in which ``OFFCANVAS_BREAK`` is set looks at one task of the app. The variable is JSON:
``task`` (its name), ``how`` (`Broken`), ``flag``, a file that the first call creates, so that one
call is broken however many processes there are, and ``seconds`` for one that is held.
"""

from __future__ import annotations

import json
import os
import time
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery

#: The environment variable.
BREAK = "OFFCANVAS_BREAK"
#: Seconds for which a task hangs: longer than anybody waits.
_FOR_EVER = 86_400.0


class Broken(StrEnum):
    """What becomes of the call."""

    HELD = "held"
    RAISES = "raises"
    HANGS = "hangs"


class BrokenOnPurpose(RuntimeError):  # noqa: N818 - reads as the fact it reports
    """A task has raised because `offcanvas compare --faults` wanted it to."""


_done: list[str] = []


def break_if_asked(app: Celery) -> None:
    """From now on one call of the task that the environment names is broken."""
    asked = os.environ.get(BREAK)
    if asked is None or asked in _done:
        return
    _done.append(asked)
    app.finalize()
    given = json.loads(asked)
    task: Any = app.tasks[given["task"]]
    run = task.run

    @wraps(run)
    def broken(*args: Any, **kwargs: Any) -> Any:
        if _is_first(given["flag"]):
            _break(Broken(given["how"]), given["seconds"])
        return run(*args, **kwargs)

    task.run = broken


def _is_first(flag: str) -> bool:
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _break(how: Broken, seconds: float) -> None:
    if how is Broken.RAISES:
        raise BrokenOnPurpose("offcanvas compare --faults has this task raise")
    time.sleep(_FOR_EVER if how is Broken.HANGS else seconds)
