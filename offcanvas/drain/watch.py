"""Two looks, some seconds apart: what is in neither of them is not there."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from offcanvas.drain.findings import Finding, Look, Place
from offcanvas.drain.look import look
from offcanvas.stopping import raise_if_asked


@dataclass(frozen=True, slots=True)
class Drained:
    """What two looks came to.

    Attributes:
        first: the first look.
        second: the second one; None if the first has found something.
        apart: seconds between them.
        without: places that somebody vouches for.
    """

    first: Look
    second: Look | None
    apart: float
    without: frozenset[Place] = frozenset()

    @property
    def last(self) -> Look:
        """The newest look."""
        return self.second or self.first

    @property
    def waiting(self) -> tuple[Finding, ...]:
        """What keeps the app from being drained, by the newest look that has found something."""
        return self.first.waiting(self.without) or self.last.waiting(self.without)

    @property
    def busy(self) -> bool:
        """Whether a worker has begun tasks between the looks, or come or gone."""
        return self.second is not None and self.first.begun != self.second.begun

    @property
    def safe(self) -> bool:
        """Whether both looks have found nothing, and nothing was begun between them."""
        return self.second is not None and not self.waiting and not self.busy


def look_twice(app: Any, apart: float, without: Collection[Place] = ()) -> Drained:
    """Look, and once more after ``apart`` seconds if the first look has found nothing.

    Raises:
        EngineUnavailable: the broker does not answer.
    """
    left_out = frozenset(without)
    first = look(app)
    if first.waiting(left_out):
        return Drained(first, None, apart, left_out)
    _pause(apart)
    return Drained(first, look(app), apart, left_out)


def wait_until_drained(
    app: Any,
    apart: float,
    without: Collection[Place] = (),
    *,
    timeout: float | None = None,
    tell: Callable[[Drained], None] = lambda _drained: None,
) -> Drained:
    """Look again and again until the app is drained, or ``timeout`` seconds are over.

    ``tell`` is told of every pair of looks that has found something.

    Raises:
        EngineUnavailable: the broker does not answer.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        found = look_twice(app, apart, without)
        if not found.safe:
            tell(found)
        if found.safe or (deadline is not None and time.monotonic() >= deadline):
            return found
        _pause(min(apart, 0.5))


def _pause(seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        raise_if_asked()
        time.sleep(min(left, 0.2))
