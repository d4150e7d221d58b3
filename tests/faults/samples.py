"""A lab that has run, made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from comparisons.lab.alerts import Alert
from comparisons.lab.cell import Result
from comparisons.lab.evidence import Moment
from comparisons.lab.fault import Ending, discover
from comparisons.lab.plan import LabPlan
from comparisons.lab.profiles import INTERVALS, PROFILES
from comparisons.lab.results import Lab
from comparisons.lab.verdict import Found, Row
from comparisons.machine import environment
from comparisons.results import now

ROWS = (
    Row("generate", "C0-1", 1, "host:11", 100.0, 100.5),
    Row("generate", "C1-1", 1, "host:12", 100.1, 100.4),
    Row("sum", "*", 1, "host:11", 101.0, 101.1),
)
FOUND = Found(
    intended=2, expected=(2, 3), lost=(), repeated={}, overlapping=(), files=2, rows=2, stray=(),
    sums=1, parts=2, total=3, ledger=ROWS,
)  # fmt: skip
LOST = replace(FOUND, lost=("C1-1",), files=1, rows=1, sums=0, parts=None, total=None,
               ledger=ROWS[:1])  # fmt: skip


def result(fault: str, profile: str, repetition: int, found: Found | None = FOUND) -> Result:
    known = discover()[fault]
    ending = Ending.NOT_INJECTED if found is None else found.ending
    goal = PROFILES[profile].goal
    return Result(
        fault=fault, profile=profile, repetition=repetition, phase=known.phases[0], ending=ending,
        expected=ending in known.expects[profile].endings,
        missed=("not injected",) if found is None else tuple(found.missed()) if goal else (),
        found=found, error=None if found else "<b>nothing</b> was reached", shown="PENDING",
        told="nothing yet", healed=1.0, detected=2.0,
        completed=None if found is not FOUND else 5.0, attempts=2, seconds=9.0,
        timeline=(Moment(-1.0, "the run is started"), Moment(0.0, "FAULT: <i>struck</i>"),
                  Moment(0.1, "generate C0-1: started, attempt 1", "11")),
        logs={"worker-1": ("ERROR: <script>alert(1)</script>",)}, began_at=99.0, fault_at=100.0,
        alerts=(Alert("WorkerGone", 4.0),) if profile != "prefect" else (),
    )  # fmt: skip


def lab(*, spoiled: bool = False) -> Lab:
    """All faults on all profiles, twice; naive Celery loses, the others lose if `spoiled`."""
    plan = LabPlan(tuple(discover()), tuple(PROFILES), 2, Path("comparisons-out"))
    made = Lab(plan, now(), environment(), {"RabbitMQ": "3.10"}, dict(INTERVALS), seconds=100.0)
    for fault, profile, repetition in plan.cells:
        loses = profile == "celery-naive" or (spoiled and profile == "prefect")
        made.results.append(result(fault, profile, repetition, LOST if loses else FOUND))
    return made
