"""Where the firings of two sides differ, and whether the clocks being changed is the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from offcanvas.schedules.firings import MOST


@dataclass(frozen=True, slots=True)
class Difference:
    """Firings of one day that only one side has.

    Attributes:
        day: the date on the zone's clocks.
        celery, there: times of day that only this side has, with the offset from UTC.
        change: how the clocks are changed on that day, "02:00 -> 03:00"; empty if they are not.
    """

    day: str
    celery: tuple[str, ...]
    there: tuple[str, ...]
    change: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The firings of one entry on two sides.

    Attributes:
        firings: how many Celery has.
        until: how far was looked.
        differences: by day.
    """

    firings: int
    until: datetime
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        """Those on days on which no clock is changed."""
        return tuple(one for one in self.differences if not one.change)


def compare(
    celery: Sequence[datetime], there: Sequence[datetime], zone: str, end: datetime
) -> Comparison:
    """Compare firings in UTC; what one side was not asked for any more is left out."""
    for side in (celery, there):
        if len(side) >= MOST:
            end = min(end, side[MOST - 1])
    ours = {one for one in celery if one < end}
    theirs = {one for one in there if one < end}
    clock = ZoneInfo(zone)
    days: dict[str, tuple[list[datetime], list[datetime]]] = {}
    for one in sorted(ours ^ theirs):
        day = one.astimezone(clock).date().isoformat()
        pair = days.setdefault(day, ([], []))
        pair[0 if one in ours else 1].append(one)
    differences = tuple(
        Difference(day, _times(only[0], clock), _times(only[1], clock), change_on(zone, day))
        for day, only in days.items()
    )
    return Comparison(len(ours), end, differences)


def _times(moments: Iterable[datetime], clock: ZoneInfo) -> tuple[str, ...]:
    return tuple(one.astimezone(clock).strftime("%H:%M%z") for one in moments)


def changes(zone: str, start: datetime, end: datetime) -> list[str]:
    """Days between two moments on which the zone's clocks are changed, each with how."""
    found, day = [], start.date()
    while day <= end.date():
        change = change_on(zone, day.isoformat())
        if change:
            found.append(f"{day.isoformat()} {change}")
        day += timedelta(days=1)
    return found


def change_on(zone: str, day: str) -> str:
    """How clocks are changed on a day, "02:00 -> 03:00"; empty if they are not."""
    clock = ZoneInfo(zone)
    begin = datetime.fromisoformat(day).replace(tzinfo=clock).astimezone(UTC) - timedelta(hours=1)
    last = begin.astimezone(clock)
    for quarter in range(1, 4 * 28):
        now = (begin + timedelta(minutes=15 * quarter)).astimezone(clock)
        if now.utcoffset() != last.utcoffset():
            before = now.astimezone(UTC) + (last.utcoffset() or timedelta())
            if day in {before.date().isoformat(), now.date().isoformat()}:
                return f"{before.strftime('%H:%M')} -> {now.strftime('%H:%M')}"
        last = now
    return ""
