"""What Celery was told of a task's limits and retries, in one form for all engines.

Celery's defaults are what makes ports go wrong: a task is not retried unless it says so, and
``max_retries=n`` is n further attempts, so n + 1 in all (Celery, userguide/tasks, "Retrying").
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: Celery's ``retry_backoff_max`` when a backoff is given without a cap, in seconds.
CAP = 600.0
#: Celery's ``default_retry_delay``, in seconds.
DELAY = 180.0


@dataclass(frozen=True, slots=True)
class Retries:
    """When an attempt is followed by another.

    limit: further attempts; None for no limit. on: the exceptions, as they are written where the
    task is. never: those that are not retried although ``on`` covers them. first: seconds before
    the second attempt; factor: by which each further wait is longer; cap: the longest wait in
    seconds. jitter: each wait is drawn between 0 and that. asked: ``self.retry`` in the body, so
    that the body decides (not ``autoretry_for``). own: the body says how long to wait, or how often
    to try, with what it raises; ``wait`` is what holds where it does not, and ``most`` the further
    attempts that any of its ways may lead to, None if that is not known.
    """

    limit: int | None = 3
    on: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    first: float = DELAY
    factor: float = 1.0
    cap: float | None = None
    jitter: bool = False
    asked: bool = False
    own: bool = False
    wait: float = DELAY
    most: int | None = None

    @property
    def attempts(self) -> int:
        """Executions at the most; 0 for no limit, as Temporal's ``maximum_attempts`` counts."""
        limit = self.most if self.own else self.limit
        return 0 if limit is None else limit + 1

    def delays(self, most: int = 50) -> tuple[float, ...]:
        """The waits in seconds before the second, third, ... attempt; at most so many."""
        count = most if self.limit is None else min(self.limit, most)
        waits = (self.first * self.factor**n for n in range(count))
        return tuple(wait if self.cap is None else min(wait, self.cap) for wait in waits)


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and attempts of a task. Times are seconds; None is what Celery was not told.

    said: the options as they were given, for the comment beside the emitted policy; a call of
        ``self.retry`` has no name.
    """

    retries: Retries | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None
    expires: float | None = None
    acks_late: bool = False
    queue: str = ""
    priority: int | None = None
    rate_limit: str = ""
    ignore_result: bool = False
    said: tuple[tuple[str, str], ...] = field(default=())

    def words(self) -> str:
        """What Celery was told, as it would be written: ``max_retries=3, time_limit=60``."""
        return ", ".join(f"{name}={value}" if name else value for name, value in self.said)
