"""The summary in words, every one of them computed.

A sentence compares only where it can name the ratio; two medians whose ranges from min to max
overlap are said to be no different.
"""

from __future__ import annotations

from collections.abc import Sequence

from comparisons.engines import NAMES
from comparisons.results import FIGURES, Comparison, Spread

NOTICED = 0.1  # seconds of work after the end, or cores, that are worth a sentence
PAYS = 1.1  # below this ratio of medians a speed-up is not called one


def sentences(comparison: Comparison) -> list[str]:
    """What the figures say, most important first."""
    return [
        sentence
        for part in (
            _agreement,
            _once,
            _others,
            _fastest,
            _against_no_engine,
            _parallel_pays,
            _overhead,
            _where_time_went,
            _resources,
            _after_work,
        )
        for sentence in part(comparison)
    ]


def seconds(value: float) -> str:
    """A duration for people: three significant digits, at the most milliseconds."""
    if value >= 100:
        return f"{value:.0f} s"
    if value >= 10:
        return f"{value:.1f} s"
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1000:.0f} ms" if value >= 0.0995 else f"{value * 1000:.1f} ms"


def times(ratio: float) -> str:
    """A ratio for people."""
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def apart(one: Spread, other: Spread) -> bool:
    """Whether the ranges of the two do not overlap."""
    return one.max < other.min or other.max < one.min


def _agreement(comparison: Comparison) -> list[str]:
    runs, bad = len(comparison.runs), comparison.disagreeing
    if bad:
        which = sorted({f"{run.job} on {NAMES[run.engine]}" for run in bad})
        text = f"{len(bad)} of {runs} runs did not do what they had to: {listed(which)}. "
        return [text + "Their times are not used."]
    if not comparison.book:
        return [f"All {runs} runs gave the answer that they had to."]
    book = comparison.book
    text = f"All {runs} runs did what they had to: {book['voters']:,} voters in "
    text += f"{book['stations']:,} stations, {book['pages']:,} pages where a variant prints all, "
    return [text + "every PDF byte for byte the one that is printed without an engine."]


def _once(comparison: Comparison) -> list[str]:
    if comparison.plan.repeat > 1:
        return []
    text = "One run of each: how far two runs of the same job lie apart is not known, so read "
    return [text + "nothing into the ratios below; `--repeat 3` tells."]


def _others(comparison: Comparison) -> list[str]:
    cores = comparison.others_cores
    if cores <= NOTICED:
        return []
    text = f"Other programs kept {cores:.1f} of the machine's {comparison.environment['cores']} "
    return [text + "cores busy meanwhile; on an idle machine all times would be shorter."]


def _medians(comparison: Comparison, job: str) -> list[tuple[Spread, str]]:
    found = [
        (spread, engine)
        for engine in comparison.plan.engines
        if (spread := comparison.makespan(job, engine)) is not None
    ]
    return sorted(found, key=lambda pair: pair[0].median)


def _fastest(comparison: Comparison) -> list[str]:
    ranked = _medians(comparison, "chord_by_station")
    if len(ranked) < 2:
        return []
    first, engine = ranked[0]
    text = f"chord_by_station took {NAMES[engine]} {seconds(first.median)}"
    for spread, other in ranked[1:]:
        ratio = spread.median / first.median
        if apart(first, spread):
            text += f", {NAMES[other]} {seconds(spread.median)} ({times(ratio)} as long)"
        else:
            text += f", {NAMES[other]} {seconds(spread.median)} (ranges overlap: no difference)"
    return [text + "; medians."]


def _against_no_engine(comparison: Comparison) -> list[str]:
    plain = comparison.baseline.get("steps")
    if not plain:
        return []
    base = Spread.of(plain)
    parts = []
    for spread, engine in _medians(comparison, "chord_by_station"):
        ratio = base.median / spread.median
        if not apart(base, spread) or 1 / PAYS <= ratio < PAYS:
            parts.append(f"no difference on {NAMES[engine]}")
        elif ratio > 1:
            parts.append(f"{times(ratio)} as fast on {NAMES[engine]}")
        else:
            parts.append(f"{times(1 / ratio)} as long on {NAMES[engine]}")
    if not parts:
        return []
    text = f"One process without any engine needs {seconds(base.median)} for the same rolls; "
    slots = comparison.plan.concurrency
    return [text + f"against that, chord_by_station with {slots} at a time is {listed(parts)}."]


def _parallel_pays(comparison: Comparison) -> list[str]:
    found = []
    for engine in comparison.plan.engines:
        one = comparison.makespan("all_in_one", engine)
        many = comparison.makespan("chord_by_station", engine)
        if one is None or many is None:
            continue
        ratio = one.median / many.median
        if not apart(one, many) or 1 / PAYS <= ratio < PAYS:
            verdict = "parallel does not pay here: no difference beyond the spread"
        elif ratio < 1:
            verdict = f"parallel does not pay here: it takes {times(1 / ratio)} as long"
        else:
            verdict = f"parallel pays: {times(ratio)} as fast"
        found.append(
            f"{NAMES[engine]}: all_in_one {seconds(one.median)}, chord_by_station "
            f"{seconds(many.median)}; {verdict}."
        )
    return found


def growth(comparison: Comparison, engine: str) -> list[tuple[int, Spread]]:
    """The no-op fan-outs of an engine, as (steps, makespan), by steps."""
    sizes = sorted(
        int(job.partition(":")[2]) for job in comparison.plan.workloads if job.startswith("noop:")
    )
    return [
        (n, spread)
        for n in sizes
        if (spread := comparison.makespan(f"noop:{n}", engine)) is not None
    ]


def _overhead(comparison: Comparison) -> list[str]:
    parts = []
    for engine in comparison.plan.engines:
        points = growth(comparison, engine)
        if len(points) < 2:
            continue
        (low, first), (high, last) = points[0], points[-1]
        slope = (last.median - first.median) / (high - low)
        if slope > 0:
            parts.append((slope, f"{NAMES[engine]} {slope * 1000:.1f} ms"))
    if not parts:
        return []
    each = listed([text for _, text in sorted(parts)])
    return [f"Each further no-op step of a fan-out adds: {each}."]


def _where_time_went(comparison: Comparison) -> list[str]:
    parts = []
    for engine in comparison.plan.engines:
        total = comparison.makespan("chord_by_station", engine)
        execution = comparison.spread("chord_by_station", engine, FIGURES["execution"])
        if total and execution:
            parts.append(f"{NAMES[engine]} {execution.median / total.median:.0%}")
    if not parts:
        return []
    text = f"Part of chord_by_station's makespan with at least one task running: {listed(parts)}; "
    return [text + "in the rest the engine was handing work over or deciding what is next."]


def _resources(comparison: Comparison) -> list[str]:
    cpu, memory = [], []
    for engine in comparison.plan.engines:
        total = comparison.spread(
            "chord_by_station",
            engine,
            lambda run: (run.workers.cpu_seconds or 0.0) + (run.servers.cpu_seconds or 0.0),
        )
        peak = comparison.spread(
            "chord_by_station",
            engine,
            lambda run: (run.workers.peak_memory_bytes or 0) + (run.servers.peak_memory_bytes or 0),
        )
        if total and peak:
            cpu.append(f"{NAMES[engine]} {seconds(total.median)}")
            memory.append(f"{NAMES[engine]} {peak.median / 2**20:.0f} MB")
    if not cpu:
        return []
    text = f"CPU time of worker and server together for one chord_by_station: {listed(cpu)}; "
    return [text + f"peak memory: {listed(memory)}."]


def _after_work(comparison: Comparison) -> list[str]:
    """Name the engines that go on working for longer than 0.1 s and a tenth of the makespan."""
    found = []
    for engine in comparison.plan.engines:
        heaviest = None
        for job in comparison.plan.jobs:
            total = comparison.makespan(job, engine)
            after = comparison.spread(job, engine, FIGURES["after_work_seconds"])
            if total and after and after.median > max(0.1 * total.median, NOTICED):
                share = after.median / total.median
                if heaviest is None or share > heaviest[0]:
                    heaviest = (share, job, after.median, total.median)
        if heaviest is not None:
            _, job, after_seconds, makespan = heaviest
            found.append(
                f"{NAMES[engine]} went on working for {seconds(after_seconds)} after the end of "
                f"{job}, which took {seconds(makespan)}; that is not in its makespan."
            )
    return found
