"""What a comparison found out, and its form in results.json (see schema.json)."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from comparisons.decomposition import Decomposition
from comparisons.plan import Plan
from comparisons.verify import Verdict
from offcanvas.meter import AfterWork, Usage

FORMAT = "offcanvas-comparison/1"
NOTHING = Usage(None, None)


@dataclass(frozen=True, slots=True)
class Bar:
    """A task in a timeline: which slot (from 0), and when, in seconds after the start."""

    task: str
    item: str
    slot: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Run:
    """One counted execution of a job on an engine. All times in seconds.

    `makespan` is None for a run that did not come to an end; `metering_cpu_seconds` is what the
    sampling of memory took from the machine meanwhile.
    """

    repetition: int
    job: str
    engine: str
    verdict: Verdict
    makespan: float | None = None
    first_roll: float | None = None
    tasks: int = 0
    workers: Usage = NOTHING
    servers: Usage = NOTHING
    after: AfterWork | None = None
    parts: Decomposition | None = None
    timeline: tuple[Bar, ...] = ()
    metering_cpu_seconds: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether its time may be used: it ended, and every check agreed."""
        return self.makespan is not None and self.verdict.agrees

    @property
    def tasks_per_second(self) -> float | None:
        """Executed steps by makespan."""
        return self.tasks / self.makespan if self.makespan else None


Figure = Callable[["Run"], float | None]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of a few figures."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Comparison:
    """All that was measured.

    Attributes:
        book: figures of the roll book: voters, centers, stations, pages, and the most stations of
            a center; empty when no variant was run.
        checksums: what every run had to come to: rolls, assignments.
        baseline: seconds of the same work without an engine, by job; the roll book's is `steps`.
        idle: share of one core that an engine's processes use while nothing is asked of them,
            by engine, as (workers, servers).
        others_cores: cores that programs other than ours kept busy during the counted runs.
    """

    plan: Plan
    created: datetime
    environment: dict[str, object]
    services: dict[str, str]
    book: dict[str, int]
    checksums: dict[str, str]
    baseline: dict[str, list[float]]
    idle: dict[str, tuple[float | None, float | None]]
    runs: list[Run] = field(default_factory=list)
    seconds: float = 0.0
    others_cores: float = 0.0

    def of(self, job: str, engine: str) -> list[Run]:
        """The runs of a job on an engine, by repetition."""
        return [run for run in self.runs if (run.job, run.engine) == (job, engine)]

    def counted(self, job: str, engine: str) -> list[Run]:
        """Those whose time may be used."""
        return [run for run in self.of(job, engine) if run.counts]

    def spread(self, job: str, engine: str, figure: Figure) -> Spread | None:
        """The spread of a figure over the runs that count; None where there is none."""
        values = [value for run in self.counted(job, engine) if (value := figure(run)) is not None]
        return Spread.of(values) if values else None

    def makespan(self, job: str, engine: str) -> Spread | None:
        """The spread of the makespans that count."""
        return self.spread(job, engine, lambda run: run.makespan)

    @property
    def disagreeing(self) -> list[Run]:
        """The runs whose checks did not agree, or that did not come to an end."""
        return [run for run in self.runs if not run.counts]

    @property
    def agrees(self) -> bool:
        """Whether every run did."""
        return bool(self.runs) and not self.disagreeing


def _part(name: str) -> Figure:
    return lambda run: None if run.parts is None else float(getattr(run.parts, name))


def _after(name: str) -> Figure:
    return lambda run: None if run.after is None else float(getattr(run.after, name))


# Every figure of a run by the name it has in results.json.
FIGURES: dict[str, Figure] = {
    "makespan": lambda run: run.makespan,
    "first_roll": lambda run: run.first_roll,
    "tasks_per_second": lambda run: run.tasks_per_second,
    "workers_cpu_seconds": lambda run: run.workers.cpu_seconds,
    "servers_cpu_seconds": lambda run: run.servers.cpu_seconds,
    "workers_peak_memory_bytes": lambda run: run.workers.peak_memory_bytes,
    "servers_peak_memory_bytes": lambda run: run.servers.peak_memory_bytes,
    "after_work_seconds": _after("seconds"),
    "after_work_cpu_seconds": _after("cpu_seconds"),
    "assignment": _part("assignment"),
    "execution": _part("execution"),
    "transition": _part("transition"),
    "busy_share_of_slots": _part("busy"),
}


def now() -> datetime:
    """The time to the second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
