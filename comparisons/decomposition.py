"""Where the time of a run went, from the engine's own records.

The makespan is cut into three parts that add up to it:

- execution: at least one task was running;
- assignment: no task was running although at least one had been taken in by the engine, so the
  engine was busy giving it to a worker;
- transition: no task was running and none was waiting, so the engine was deciding what comes
  next, or the result was on its way to the caller.

The terms are those of the published benchmark of workflow engines with 10 x fib(33) and
40 x fib(10). There they are sums over sequential steps; on parallel runs sums would exceed the
makespan, hence the cut above, which gives the same figures on sequential ones.

Beside it stands `busy`: the share of the worker's slots times the makespan in which user code ran.
Execution can be 100 % of the makespan with one of two slots idle; `busy` is 50 % then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.contract import TaskSpan

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Seconds of the makespan by what happened in them, and the share of busy slots (0 to 1)."""

    assignment: float
    execution: float
    transition: float
    busy: float


def decompose(
    spans: Sequence[TaskSpan], begin: float, end: float, concurrency: int
) -> Decomposition:
    """Cut the time from `begin` to `end` (seconds since the epoch) by what the tasks were doing."""
    running = _union(_clip(((s.started_at, s.finished_at) for s in spans), begin, end))
    queued = [(s.queued_at, s.started_at) for s in spans if s.queued_at is not None]
    either = _union([*running, *_clip(queued, begin, end)])
    execution = _length(running)
    occupied = _length(_clip(((s.started_at, s.finished_at) for s in spans), begin, end))
    makespan = end - begin
    return Decomposition(
        assignment=_length(either) - execution,
        execution=execution,
        transition=makespan - _length(either),
        busy=occupied / (concurrency * makespan) if makespan > 0 else 0.0,
    )


def _clip(intervals: Iterable[Interval], begin: float, end: float) -> list[Interval]:
    cut = ((max(start, begin), min(stop, end)) for start, stop in intervals)
    return [(start, stop) for start, stop in cut if stop > start]


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    """Disjoint intervals that cover the same instants, in order."""
    merged: list[Interval] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _length(intervals: Iterable[Interval]) -> float:
    return sum(stop - start for start, stop in intervals)
