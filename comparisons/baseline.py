"""The same steps without any engine: one process, one after the other.

It gives the bytes that every roll must have, and the time that an engine has to beat.
"""

from __future__ import annotations

import time

from sqlalchemy import select

from shared import steps
from shared.database import transaction
from shared.models import PrintedRoll
from shared.workloads import fib, nap, noop, parse

ENGINE = "none"


def run_steps(run_id: str) -> float:
    """Assign, print every roll, sum up; returns the seconds it took."""
    begin = time.perf_counter()
    steps.begin_run(run_id, "baseline", ENGINE)
    steps.assign_all(run_id)
    pages = [steps.generate_roll(run_id, station) for station in steps.list_stations(run_id)]
    steps.sum_pages(run_id, pages)
    return time.perf_counter() - begin


def rolls_of(run_id: str) -> dict[str, str]:
    """SHA-256 of the run's rolls, by station id."""
    query = select(PrintedRoll.station_id, PrintedRoll.sha256).where(PrintedRoll.run_id == run_id)
    with transaction(read_only=True) as session:
        return {row.station_id: row.sha256 for row in session.execute(query)}


def run_workload(workload: str) -> float:
    """The workload as a plain loop; returns the seconds it took."""
    known = parse(workload)
    if known is None:
        raise ValueError(f"{workload} is not a workload")
    kind, n = known
    begin = time.perf_counter()
    for index in range(n):
        if kind in {"noop", "nap"}:
            (noop if kind == "noop" else nap)(index)
        else:
            fib(int(kind.removeprefix("fib")))
    return time.perf_counter() - begin
