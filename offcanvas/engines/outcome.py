"""From a Celery result to an Outcome: Celery's own ``get()`` says what its caller sees."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import GroupResult, allow_join_result

from offcanvas.engines.base import Outcome


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
    except CeleryTimeoutError:
        return Outcome("PENDING")
    except Exception as error:  # whatever the task raised is the outcome
        return Outcome("FAILURE", error=error, others=tuple(_stored_errors(result)))
    return Outcome("SUCCESS", value=value)


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
