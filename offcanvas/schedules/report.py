"""What comes of each entry, in words."""

from __future__ import annotations

from dataclasses import dataclass

from offcanvas.printable import escaped
from offcanvas.schedules.compare import Comparison, Difference
from offcanvas.schedules.entries import Cron, Entry, Every


@dataclass(frozen=True, slots=True)
class Row:
    """One entry, why there is no schedule for it, and how its firings compare."""

    entry: Entry
    why_not: str = ""
    compared: Comparison | None = None


def lines(rows: list[Row], engine: str, days: int) -> list[str]:
    """The report."""
    said: list[str] = []
    for row in rows:
        said.append(f"{row.entry.name}: {_when(row.entry)}{_state(row.entry)}")
        if row.why_not:
            said.append(f"  no schedule is written: {row.why_not}")
        if row.compared is not None:
            said += [f"  {line}" for line in compared(row.compared, engine, days)]
    return [escaped(line) for line in said]


def compared(found: Comparison, engine: str, days: int) -> list[str]:
    """A comparison in words: each day that differs."""
    count = f"{found.firings:,} firings in {days} days"
    if not found.differences:
        return [f"{count}: the same on {engine}"]
    said = [f"{count}; {len(found.differences)} days differ on {engine}"]
    return [*said, *(_difference(one, engine) for one in found.differences)]


def _difference(one: Difference, engine: str) -> str:
    sides = []
    for name, times in (("Celery", one.celery), (engine, one.there)):
        shown = ", ".join(times[:3]) + (f" and {len(times) - 3} more" if len(times) > 3 else "")
        sides.append(f"{name} alone at {shown}" if times else f"{name} nothing")
    why = f"clocks {one.change}" if one.change else "no clock is changed that day"
    return f"{one.day} ({why}): {'; '.join(sides)}"


def _when(entry: Entry) -> str:
    match entry.when:
        case Cron(zone=zone) as cron:
            return f"{cron.text} in {zone}"
        case Every(seconds=seconds):
            return f"every {seconds:g} s"
        case None:
            return entry.unknown
        case other:
            return type(other).__name__.lower()


def _state(entry: Entry) -> str:
    return "" if entry.enabled else ", switched off"
