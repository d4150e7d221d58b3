"""What an entry of beat is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Cron:
    """Celery's crontab: an entry fires when all five fit, the day of the month and the weekday too.

    Each field holds the values that fit; weekdays are 0 for Sunday to 6.
    """

    minute: tuple[int, ...]
    hour: tuple[int, ...]
    day_of_month: tuple[int, ...]
    month: tuple[int, ...]
    day_of_week: tuple[int, ...]
    zone: str

    @property
    def text(self) -> str:
        """As cron writes it, lists instead of steps."""
        fields = (
            (self.minute, 60),
            (self.hour, 24),
            (self.day_of_month, 31),
            (self.month, 12),
            (self.day_of_week, 7),
        )
        return " ".join(
            "*" if len(values) == most else ",".join(map(str, values)) for values, most in fields
        )


@dataclass(frozen=True, slots=True)
class Every:
    """An interval, in seconds; ``anchor`` is a moment at which it has fired, or will."""

    seconds: float
    anchor: datetime | None = None


@dataclass(frozen=True, slots=True)
class Solar:
    """An event of the sun at a place."""

    event: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Once:
    """One moment."""

    at: datetime


When: TypeAlias = Cron | Every | Solar | Once


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        name: beat's.
        task: the task's name.
        when: the schedule; None if it is of a kind that nobody here knows.
        args, kwargs, options: of ``apply_async``.
        enabled: False for a row that is switched off.
        one_off: it fires once, and is switched off then.
        starts: not before this moment.
        source: where it was read: "configuration", "django-celery-beat" or "redbeat".
        unknown: what the schedule is, if nobody here knows it.
    """

    name: str
    task: str
    when: When | None
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    one_off: bool = False
    starts: datetime | None = None
    source: str = "configuration"
    unknown: str = ""
