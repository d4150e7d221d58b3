"""From a Celery result to an Outcome: Celery's own ``get()`` says what its caller sees."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import GroupResult, allow_join_result

from offcanvas.engines.base import Outcome

#: Seconds for reading results that are all there.
_WIDE = 3600.0
_PENDING = Outcome("PENDING")


def _late(result: Any, timeout: float) -> bool:
    """Whether all of it is there, and there was only no time to read it."""
    return timeout < _WIDE and isinstance(result, GroupResult) and bool(result.ready())


def outcome_of(result: Any, *, timeout: float, interval: float = 0.5) -> Outcome:
    """Ask ``result`` for its value, for at most ``timeout`` seconds.

    ``result`` is what ``apply_async`` returned; None, as for an empty chain, is the value None.
    """
    if result is None:
        return Outcome("SUCCESS")
    if _holds_groups(result) and not _ready(result, timeout, interval):
        return Outcome("PENDING")
    try:
        with allow_join_result():
            value = result.get(timeout=timeout, interval=interval)
    except (KeyboardInterrupt, SystemExit):  # never a task's: they are stored as WorkerLostError
        raise
    except BaseException as error:  # whatever the task raised is the outcome
        if isinstance(error, CeleryTimeoutError) and not _is_a_tasks(result):
            # A wide group is not read in one look.
            if _late(result, timeout):
                return outcome_of(result, timeout=_WIDE)
            return _failed_beside(result)
        return Outcome("FAILURE", error=error, others=tuple(_stored_errors(result)))
    return Outcome("SUCCESS", value=value)


def _failed_beside(result: Any) -> Outcome:
    """What a caller gets of a group of which one member never ends, once all others have.

    On Redis ``get()`` raises the failure of another; the memory's backend is asked one by one.
    """
    errors = tuple(_stored_errors(result))
    if not errors or not getattr(result.backend, "only_for_a_run", False):
        return _PENDING
    return Outcome("FAILURE", error=errors[0], others=errors)


def _is_a_tasks(result: Any) -> bool:
    """Whether a task of the canvas has failed with Celery's TimeoutError: then it is its error."""
    while result is not None:
        members = result.results or () if isinstance(result, GroupResult) else ()
        if any(map(_is_a_tasks, members)):
            return True
        if not isinstance(result, GroupResult):
            stored = result.backend.get_task_meta(result.id, cache=False)
            if isinstance(stored["result"], CeleryTimeoutError):
                return True
        result = result.parent
    return False


def _stored_errors(result: Any) -> Iterator[BaseException]:
    if not isinstance(result, GroupResult):
        return
    children: Any = result.results or ()  # the stubs know of no group inside a group
    for child in children:
        if isinstance(child, GroupResult):
            yield from _stored_errors(child)
        elif child.state in {"FAILURE", "REVOKED"}:
            yield child.result


def _holds_groups(result: Any) -> bool:
    return isinstance(result, GroupResult) and any(
        isinstance(child, GroupResult) for child in result.results or ()
    )


def _ready(result: Any, timeout: float, interval: float) -> bool:
    """Wait here: for a group inside a group Celery's ``get()`` forgets the timeout it was given."""
    deadline = time.monotonic() + timeout
    while not result.ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
