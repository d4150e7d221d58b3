"""What the lab has found out, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from comparisons.lab.cell import Result
from comparisons.lab.fault import Ending, Fault, discover
from comparisons.lab.plan import LabPlan
from comparisons.lab.profiles import INTERVALS, PROFILES
from comparisons.results import Spread
from comparisons.words import NOTICED

# A run whose last effect comes so many seconds after the fault is late: an undisturbed one is whole
# within a few, and nothing that looks after what was lost comes sooner.
LATE = INTERVALS["SWEEP_EVERY"]


@dataclass(frozen=True)
class Square:
    """All repetitions of a fault on a profile; none where it says nothing about it."""

    fault: Fault
    profile: str
    results: tuple[Result, ...]
    meaningless: str | None

    @property
    def endings(self) -> Counter[Ending]:
        """How often which ending."""
        return Counter(result.ending for result in self.results)

    @property
    def worst(self) -> Ending | None:
        """The worst ending; None without a result."""
        order = list(Ending)
        return max(self.endings, key=order.index, default=None)

    @property
    def missed(self) -> tuple[Result, ...]:
        """The repetitions that missed the goal, or into which the fault could not be injected."""
        return tuple(result for result in self.results if result.missed)

    @property
    def unexpected(self) -> tuple[Result, ...]:
        """Those that ended otherwise than the fault's file says."""
        return tuple(result for result in self.results if not result.expected)

    @property
    def alerts(self) -> Counter[str]:
        """In how many of the runs which alert fired first."""
        return Counter(result.alerts[0].name for result in self.results if result.alerts)

    @property
    def harmed(self) -> tuple[Result, ...]:
        """The repetitions that lost work, or got it late; see `LATE`."""
        return tuple(
            result for result in self.results
            if result.ending is Ending.LOST
            or (result.completed is not None and result.completed > LATE + self.fault.waits)
        )  # fmt: skip

    @property
    def watched(self) -> bool:
        """Whether a Prometheus looked on."""
        return any(result.alerts is not None for result in self.results)

    def spread(self, name: str) -> Spread | None:
        """Median, least and greatest of a time or a count of `Result`, over those that have it."""
        values = [value for each in self.results if (value := getattr(each, name)) is not None]
        return Spread.of(values) if values else None


@dataclass
class Lab:
    """Everything. `versions` names programs and packages; `intervals` are seconds.

    `others_cores`: cores that other programs kept busy meanwhile, at the most; the CPU time of
    killed processes is not always known, and then counts as theirs.
    """

    plan: LabPlan
    created: datetime
    environment: dict[str, object]
    versions: dict[str, str]
    intervals: dict[str, float]
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    others_cores: float = 0.0

    def square(self, fault: str, profile: str) -> Square:
        """A field of the matrix."""
        known = discover()[fault]
        found = sorted(
            (r for r in self.results if (r.fault, r.profile) == (fault, profile)),
            key=lambda r: r.repetition,
        )
        return Square(known, profile, tuple(found), known.meaningless.get(profile))

    @property
    def squares(self) -> list[Square]:
        """The matrix, row by row."""
        return [self.square(f, p) for f in self.plan.faults for p in self.plan.profiles]

    @property
    def missed(self) -> list[Result]:
        """All that missed the goal, and all that could not be injected."""
        return [result for square in self.squares for result in square.missed]

    @property
    def reached(self) -> bool:
        """Whether the goal was reached everywhere, and every fault injected."""
        return bool(self.results) and not self.missed

    @property
    def sentences(self) -> list[str]:
        """What follows, in counts."""
        return [
            *(self._sentence(profile) for profile in self.plan.profiles),
            *self._alerted(),
            *self._others(),
            *self._not_run(),
            *(
                f"{r.fault} on {r.profile}, repetition {r.repetition} ({r.phase}): "
                f"{'; '.join(r.missed)}{f' ({r.error})' if r.error else ''}"
                for r in self.missed
            ),
        ]

    def _others(self) -> list[str]:
        if self.others_cores <= NOTICED:
            return []
        busy = f"{self.others_cores:.1f} of the machine's {self.environment['cores']} cores"
        text = f"Other programs kept up to {busy} busy meanwhile; "
        return [text + "on an idle machine all times would be shorter"]

    def _not_run(self) -> list[str]:
        """What a lab that was cut off has not come to."""
        said = []
        for profile in self.plan.profiles:
            left = [
                fault for fault in self.plan.faults
                if not (square := self.square(fault, profile)).results and not square.meaningless
            ]  # fmt: skip
            if left:
                said.append(f"{PROFILES[profile].title}: cut off before {', '.join(left)}")
        return said

    def _sentence(self, profile: str) -> str:
        mine = [result for result in self.results if result.profile == profile]
        counts = Counter(result.ending for result in mine)
        told = ", ".join(f"{counts[ending]} {ending}" for ending in Ending if counts[ending])
        times = [r.completed_after_heal for r in mine if r.completed_after_heal is not None]
        slowest = f"; slowest recovery {max(times):.1f} s after the heal" if times else ""
        return f"{PROFILES[profile].title}: {len(mine)} runs: {told or 'none'}{slowest}"

    def _harmed(self) -> str:
        """How many runs lost work or got it late, and which of them no alert told of."""
        harmed = [
            (square, result)
            for square in self.squares
            for result in square.harmed
            if result.alerts is not None
        ]
        silent = [
            f"{square.fault.id} on {PROFILES[square.profile].title} ({result.phase})"
            for square, result in harmed
            if not result.alerts
        ]
        told = f"an alert told of all but these: {'; '.join(silent)}" if silent else "all were told"
        runs = "1 run" if len(harmed) == 1 else f"{len(harmed)} runs"
        return f"In {runs} work was lost, or more than {LATE:g} s late: {told}"

    def _alerted(self) -> list[str]:
        """Who was told, by profile; and which faults no alert told of although they lost work."""
        watched = [result for result in self.results if result.alerts is not None]
        if not watched:
            return ["Whether an alert fired is not known: there was no Prometheus to watch"]
        said = []
        for profile in self.plan.profiles:
            mine = [result for result in watched if result.profile == profile]
            times = [result.alerted for result in mine if result.alerted is not None]
            if mine:
                first = (
                    f", the first after {Spread.of(times).median:.1f} s (median)" if times else ""
                )
                said.append(
                    f"{PROFILES[profile].title}: an alert fired in {len(times)} of {len(mine)} runs"
                    f"{first}"
                )
        silent = sorted({r.fault for r in watched if r.ending is Ending.LOST and not r.alerts})
        unseen = f"but these: {', '.join(silent)}" if silent else "without exception"
        said.append(f"Every run that lost work was told by an alert, {unseen}")
        said.append(self._harmed())
        never = [
            fault for fault in self.plan.faults
            if not any(r.alerts for r in watched if r.fault == fault)
        ]  # fmt: skip
        if never:
            said.append(f"No alert fired on any profile for {', '.join(never)}")
        return said
