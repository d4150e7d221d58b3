"""The answer: what a canvas costs, which limits it meets at which size, and the way out of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from offcanvas.canvas.nodes import Node
from offcanvas.preflight import limits

if TYPE_CHECKING:
    from offcanvas.preflight import prefect, temporal


class Verdict(StrEnum):
    """How a figure stands to its limit."""

    FITS = "fits"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is counted.

    Attributes:
        name: what, for people. unit: "" or "B", which is printed as kB and MB.
        expected: how many, as reckoned; most: what it cannot exceed without retries.
        limit: what is refused above, None if nothing is. warned: what is warned of above.
        remedy: what to do about it.
        a_minute: how many of them a vendor takes in a minute; what is more has to wait.
        cut: wide groups are cut into slices, beyond which it grows no further.
    """

    name: str
    expected: float
    most: float | None = None
    limit: float | None = None
    warned: float | None = None
    unit: str = ""
    remedy: str = ""
    a_minute: float | None = None
    cut: bool = False

    @property
    def worst(self) -> float:
        """What is held against the limit."""
        return self.expected if self.most is None else self.most

    @property
    def verdict(self) -> Verdict:
        """Over the limit; over what the vendor warns of, or half of the limit; or neither."""
        if self.limit is not None and self.worst > self.limit:
            return Verdict.REFUSE
        warned = self.warned if self.warned is not None else (self.limit or 0) / 2
        return Verdict.WARN if warned and self.worst > warned else Verdict.FITS


Count = Callable[[Mapping[str, int]], Sequence[Figure]]
"""Figures of the canvas with groups of these widths."""


@dataclass(frozen=True, slots=True)
class Line:
    """How a figure grows with a group: about `each` for each member and `fixed` for the rest.

    fits: the most members with which it is under its limit; None if it never comes to it. Not
    `met`: another limit is met first, and under that one it fits.
    """

    figure: str
    group: str
    fixed: float
    each: float
    fits: int | None
    met: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What `preflight` says."""

    target: str
    engine: str
    widths: Mapping[str, int]
    figures: tuple[Figure, ...]
    lines: tuple[Line, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the figures."""
        verdicts = [figure.verdict for figure in self.figures]
        return max(verdicts, key=[*Verdict].index, default=Verdict.FITS)


#: Members at which growth is looked at; from the last two on it goes on in a straight line.
_STEPS = (1, 10, 100, 500, 1_000)
#: A break-even above this is no limit that anybody meets.
_NEVER = 100_000_000
#: How often a break-even between two steps is looked at more closely.
_LOOKS = 4


class _Growth:
    """Figures of the canvas by the size of one group, each size reckoned once."""

    def __init__(self, count: Count, widths: Mapping[str, int], group: str) -> None:
        self._count, self._widths, self._group = count, widths, group
        self._known: dict[int, dict[str, Figure]] = {}
        self.limited = [n for n, f in self.at(1).items() if f.limit or f.a_minute]
        self._steps: list[int] = []
        for size in _STEPS:
            self._steps.append(size)
            if any(f.limit and f.worst > f.limit for f in self.at(size).values()):
                break  # the rest is beyond what can run

    def at(self, size: int) -> dict[str, Figure]:
        """Figures by name."""
        if size not in self._known:
            figures = self._count({**self._widths, self._group: size})
            self._known[size] = {figure.name: figure for figure in figures}
        return self._known[size]

    def line(self, name: str) -> Line:
        """How a figure grows, and how far it fits."""
        ten, more = self.at(10)[name].worst, self.at(100)[name].worst
        each = (more - ten) / 90
        fits = self._fits(name)
        met = self._steps[-1] == _STEPS[-1] or self._over(name, self._steps[-1]) > 0
        return Line(name, self._group, ten - 10 * each, each, fits, met)

    def _fits(self, name: str) -> int | None:
        """The most members under what is refused, or else warned of: between two steps by what
        lies between them, above the last by the slope."""
        low, high = 0, 0
        for size in self._steps:
            high = size
            if self._over(name, size) > 0:
                break
            low = size
        else:
            if self._steps[-1] != _STEPS[-1]:
                return None
            before, last = _STEPS[-2:]
            if self.at(last)[name].cut:
                return None
            slope = (self._over(name, last) - self._over(name, before)) / (last - before)
            if slope <= 0:
                return None
            beyond = int(last - self._over(name, last) / slope)
            return beyond if beyond < _NEVER else None
        for _ in range(_LOOKS):
            if high - low <= max(1, low // 200):
                break
            below = self._over(name, low) if low else -self._limit(name)
            share = -below / (self._over(name, high) - below)
            middle = min(max(low + int(share * (high - low)), low + 1), high - 1)
            low, high = (low, middle) if self._over(name, middle) > 0 else (middle, high)
        return low

    def _over(self, name: str, size: int) -> float:
        return self.at(size)[name].worst - self._limit(name)

    def _limit(self, name: str) -> float:
        figure = self.at(_STEPS[0])[name]
        return figure.limit if figure.limit is not None else figure.a_minute or 0.0


def lines_of(count: Count, widths: Mapping[str, int]) -> list[Line]:
    """How each figure with a limit grows with each group, and how far it fits."""
    found = []
    for group in widths:
        growth = _Growth(count, widths, group)
        found += [growth.line(name) for name in growth.limited]
    return found


def of_temporal(
    found: temporal.Rehearsal, *, per_day: int, price: float | None
) -> tuple[Figure, ...]:
    """Figures of a canvas on Temporal."""
    histories = found.histories
    slices = (
        "its members go to child workflows of 1,000 already; a chain inside one cannot: shorten"
    )
    by_reference = (
        "pass a key or a path instead of the value: values of arguments are not looked into"
    )
    pending = max((h.trees for h in histories), default=0)
    figures = [
        Figure("tasks", found.tasks),
        Figure("workflows", len(histories)),
        Figure(
            "events, longest history",
            max(h.events for h in histories),
            max(h.bound for h in histories),
            limits.EVENTS,
            limits.EVENTS_WARNED,
            remedy=slices,
            cut=True,
        ),
        Figure("events, all", sum(h.events for h in histories), sum(h.bound for h in histories)),
        Figure(
            "workflow tasks", sum(h.woken for h in histories), sum(h.at_most for h in histories)
        ),
        Figure(
            "bytes, largest history",
            max(h.bytes for h in histories),
            max(h.most_bytes for h in histories),
            limits.HISTORY,
            limits.HISTORY_WARNED,
            "B",
            by_reference,
            cut=True,
        ),
        Figure("bytes, all", sum(h.bytes for h in histories), unit="B"),
        Figure(
            "largest payload",
            max(h.largest for h in histories),
            None,
            limits.PAYLOAD,
            limits.PAYLOAD_WARNED,
            "B",
            "start the canvas in parts, or " + by_reference,
        ),
        Figure(
            "answer to one workflow task",
            max(h.answer for h in histories),
            None,
            limits.MESSAGE,
            None,
            "B",
            "up to 100 activities are scheduled at a time: " + by_reference,
            cut=True,
        ),
        Figure(
            "activities at a time",
            max(h.pending for h in histories),
            None,
            limits.PENDING_ACTIVITIES,
            None,
            remedy="let fewer members run side by side",
            cut=True,
        ),
        Figure(
            "workflows that one workflow's tasks start",
            pending,
            None,
            limits.PENDING,
            None,
            remedy="put what the callbacks do into the canvas, behind the tasks",
        ),
        Figure("actions", found.actions),
    ]
    return (*figures, *_bill(found.actions, per_day, limits.PRICE if price is None else price))


def _bill(actions: int, per_day: int, price: float) -> tuple[Figure, ...]:
    if not per_day:
        return ()
    monthly = actions * per_day * 30
    return (
        Figure("actions a month", monthly),
        Figure("dollars a month", round(monthly * price / 1_000_000, 2)),
    )


def of_prefect(found: prefect.Rehearsal, *, per_day: int) -> tuple[Figure, ...]:
    """Figures of a canvas on Prefect."""
    kept = min(found.plan, _CARRIED)
    figures = [
        Figure("tasks", found.tasks),
        Figure("flow runs", found.flow_runs),
        Figure("task runs", found.tasks),
        Figure("events", found.events),
        Figure("requests", found.requests),
        Figure(
            "parameters of a flow run",
            kept,
            None,
            limits.PARAMETERS,
            None,
            "B",
            "the plan goes through the result backend from 50,000 characters on",
            cut=True,
        ),
    ]
    for plan, limit in limits.PREFECT_PLANS.items():
        figures.append(Figure(f"events, on Prefect Cloud {plan}", found.events, a_minute=limit))
    if per_day:
        figures.append(Figure("events a month", found.events * per_day * 30))
    return tuple(figures)


#: Characters of a plan that are a parameter; longer ones are stored (`engines.prefect.job.LARGE`).
_CARRIED = 50_000


def answered(
    target: str,
    engine: str,
    plan_of: Callable[[Mapping[str, int]], Node],
    figures_of: Callable[[Node], Sequence[Figure]],
    widths: Mapping[str, int],
    grown: Mapping[str, int],
) -> Answer:
    """The answer for a canvas whose groups have these widths; `grown` are those to look at."""

    def count(sizes: Mapping[str, int]) -> Sequence[Figure]:
        return figures_of(plan_of(sizes))

    return Answer(
        target, engine, {**grown, **widths}, tuple(count(widths)), tuple(lines_of(count, grown))
    )
