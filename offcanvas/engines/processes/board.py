"""What a worker and one of its processes tell each other while a batch runs, without a message.

Three numbers in shared memory: which member runs, since when, and until when the process may begin
another one. A worker that was frozen, or cut off from its server, does not move the last of them,
and so its process ends the batch, and begins nothing that has gone to another worker meanwhile.
"""

from __future__ import annotations

import time
from multiprocessing.context import ForkServerContext
from typing import Any

_RUNS, _SINCE, _UNTIL = range(3)


def now() -> float:
    """Seconds on a clock that all processes of the machine share, and that runs while it sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Board:
    """The numbers of one process; ``shared`` goes with it."""

    def __init__(self, shared: Any) -> None:
        self.shared = shared

    @classmethod
    def new(cls, context: ForkServerContext) -> Board:
        """One that a process of this context can be given."""
        return cls(context.RawArray("d", 3))

    # -- the worker's side

    def clear(self) -> None:
        """For another batch, of which nothing may begin yet."""
        self.shared[_RUNS] = self.shared[_SINCE] = self.shared[_UNTIL] = 0.0

    def extend(self, until: float) -> None:
        """Members may begin until then, unless the batch is to stop."""
        if self.shared[_UNTIL] >= 0:
            self.shared[_UNTIL] = until

    def stop(self) -> None:
        """No further member may begin."""
        self.shared[_UNTIL] = -1.0

    @property
    def begun(self) -> int:
        """How many members have begun: all but the last of them have ended."""
        return int(self.shared[_RUNS])

    @property
    def since(self) -> float:
        """When the last of them began."""
        return float(self.shared[_SINCE])

    # -- the process's side

    def may_begin(self, number: int) -> bool:
        """Begin the member of this number, from 1; False if the leave to do so is over."""
        if now() >= self.shared[_UNTIL]:
            return False
        self.shared[_SINCE] = now()
        self.shared[_RUNS] = float(number)
        return True
