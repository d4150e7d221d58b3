"""Comparisons put together by hand, for tests of what is said about figures."""

from dataclasses import replace
from pathlib import Path

from comparisons.decomposition import Decomposition
from comparisons.plan import Plan, make_plan
from comparisons.results import Bar, Comparison, Run, now
from comparisons.verify import Check, Verdict
from offcanvas.meter import AfterWork, Usage

AGREES = Verdict((Check("answer", "total 53", "total 53"),))
DISAGREES = Verdict((Check("answer", "total 53", "total <52>"),))


def plan(**words: object) -> Plan:
    chosen: dict[str, object] = {
        "voters": 2_000,
        "seed": 7,
        "csv": None,
        "variants": "all_in_one,chord_by_station",
        "workloads": "noop:100,noop:1000",
        "engines": "celery,temporal",
        "concurrency": 2,
        "repeat": 3,
        "out": Path("comparisons-out"),
        "keep_rolls": False,
    }
    return make_plan(**(chosen | words))  # type: ignore[arg-type] # the words of the tests below


def run(job: str, engine: str, makespan: float, *, repetition: int = 1, after: float = 0.0) -> Run:
    return Run(
        repetition=repetition,
        job=job,
        engine=engine,
        verdict=AGREES,
        makespan=makespan,
        first_roll=makespan / 4,
        tasks=10,
        workers=Usage(makespan, 200 * 2**20),
        servers=Usage(makespan / 2, 100 * 2**20),
        after=AfterWork(after, after / 2),
        parts=Decomposition(0.1 * makespan, 0.7 * makespan, 0.2 * makespan, 0.5),
        timeline=(
            Bar("generate", "C1-1", 0, 0.0, makespan / 2),
            Bar("generate", "</script>", 1, 0.0, makespan),
        ),
    )


def comparison(makespans: dict[tuple[str, str], list[float]], **words: object) -> Comparison:
    """A comparison of these makespans by (job, engine)."""
    chosen = plan(**words)
    runs = [
        run(job, engine, seconds, repetition=number)
        for (job, engine), each in makespans.items()
        for number, seconds in enumerate(each, start=1)
    ]
    return Comparison(
        plan=chosen,
        created=now(),
        environment={
            "cpu": "A processor",
            "cores": 2,
            "memory_bytes": 2**34,
            "system": "Linux 6.1",
            "python": "CPython 3.11.7",
            "sqlite": "3.45.0",
            "packages": {"celery": "5.6.0"},
        },
        services={"celery": "redis, started for this comparison", "database": "SQLite"},
        book={
            "voters": 2_000,
            "centers": 2,
            "stations": 5,
            "pages": 53,
            "most_stations_in_a_center": 4,
        },
        checksums={"rolls": "a" * 64, "assignments": "b" * 64},
        baseline={"steps": [1.0, 1.1, 1.2]},
        idle={"celery": (0.01, 0.0), "temporal": (0.0, None)},
        runs=runs,
        seconds=61.0,
    )


def spoiled(whole: Comparison, number: int) -> Comparison:
    """The same, with one run that disagrees."""
    runs = list(whole.runs)
    runs[number] = replace(runs[number], verdict=DISAGREES)
    return replace(whole, runs=runs)


MAKESPANS = {
    ("all_in_one", "celery"): [2.0, 2.1, 2.2],
    ("all_in_one", "temporal"): [2.0, 2.1, 2.2],
    ("chord_by_station", "celery"): [0.7, 0.6, 0.8],
    ("chord_by_station", "temporal"): [4.0, 4.2, 4.4],
    ("noop:100", "celery"): [0.2, 0.2, 0.2],
    ("noop:100", "temporal"): [1.0, 1.0, 1.0],
    ("noop:1000", "celery"): [1.1, 1.1, 1.1],
    ("noop:1000", "temporal"): [10.0, 10.0, 10.0],
}
