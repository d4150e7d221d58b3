"""All cells: each profile in a thread of its own, on servers of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from comparisons import stage
from comparisons.lab.calling import CallFailed
from comparisons.lab.cell import Result, run_cell
from comparisons.lab.fault import Ending, discover
from comparisons.lab.lane import Lane
from comparisons.lab.plan import LabPlan
from comparisons.lab.probes import NotReached, Stopped
from comparisons.lab.profiles import INTERVALS, PROFILES
from comparisons.lab.results import Lab
from comparisons.lab.versions import program_versions
from comparisons.machine import environment
from comparisons.results import now
from offcanvas.meter import Others
from offcanvas.servers import ServerError
from shared.cli import progress as bar

Report = Callable[[Result], None]


class Runner(threading.Thread):
    """Runs the cells of one profile; `failure` is what ended it before its time."""

    def __init__(
        self, plan: LabPlan, profile: str, folder: Path, stop: threading.Event, report: Report
    ) -> None:
        super().__init__(name=f"lane-{profile}")
        self.failure: BaseException | None = None
        self._cells = [cell for cell in plan.cells if cell[1] == profile]
        self._profile, self._folder = PROFILES[profile], folder
        self._stop_event, self._report = stop, report

    def run(self) -> None:
        """Until all are done, or the lab is to end."""
        try:
            left, attempt = list(self._cells), 0
            while left:
                attempt += 1
                left = self._on_one_lane(left, attempt)
        except Stopped:
            pass
        except BaseException as error:
            self.failure = error
            self._stop_event.set()

    def _on_one_lane(
        self, cells: list[tuple[str, str, int]], attempt: int
    ) -> list[tuple[str, str, int]]:
        """Run cells until one leaves the lane unusable; returns those that are left."""
        folder = self._folder / f"{self._profile.name}-{attempt}"
        with Lane(self._profile, folder, self._stop_event) as lane:
            for number, (fault, _, repetition) in enumerate(cells):
                try:
                    self._report(run_cell(lane, discover()[fault], repetition))
                except (NotReached, CallFailed, ServerError, SQLAlchemyError) as error:
                    self._report(_broken(fault, self._profile.name, repetition, error))
                    return cells[number + 1 :]
        return []


def _broken(fault: str, profile: str, repetition: int, error: Exception) -> Result:
    """The result of a cell that the lab itself could not bring to its end."""
    known = discover()[fault]
    return Result(
        fault=fault, profile=profile, repetition=repetition,
        phase=known.phases[(repetition - 1) % len(known.phases)],
        ending=Ending.NOT_INJECTED, expected=False,
        missed=("the lab could not bring it to an end",), found=None,
        error=" ".join(f"{type(error).__name__}: {error}".split())[:600],
        shown="", told="", healed=None, detected=None, completed=None, attempts=0, seconds=0.0,
        timeline=(), logs={}, began_at=time.time(), fault_at=None,
    )  # fmt: skip


@contextmanager
def ran(plan: LabPlan, keep: Callable[[Lab], None]) -> Iterator[Lab]:
    """Run the plan; everything that was started has ended when the block begins.

    `keep` is called with what there is whenever a run has ended.

    Raises:
        ServerError: a server did not come up at all.
    """
    begin = time.monotonic()
    lab = Lab(plan, now(), environment(), program_versions(plan.profiles), dict(INTERVALS))
    with stage.signals_as_exceptions(), stage.private_folder() as folder:
        folder.chmod(0o711)  # PostgreSQL is not run as root: another user has to get through
        with bar("Faults", len(plan.cells)) as advance:
            one_at_a_time = threading.Lock()

            def report(result: Result) -> None:
                with one_at_a_time:
                    lab.results.append(result)
                    lab.seconds = time.monotonic() - begin
                    keep(lab)
                advance(1, f"{result.fault} on {result.profile}: {result.ending}")

            others = Others()
            _run_lanes(plan, folder, report)
            lab.others_cores = others.cores()
        lab.seconds = time.monotonic() - begin
        yield lab


def _run_lanes(plan: LabPlan, folder: Path, report: Report) -> None:
    stop = threading.Event()
    lanes = [Runner(plan, profile, folder, stop, report) for profile in plan.profiles]
    try:
        for lane in lanes:
            lane.start()
        for lane in lanes:
            while lane.is_alive():
                lane.join(0.2)  # so that a signal is heard
    finally:
        stop.set()
        for lane in lanes:
            if lane.ident is not None:
                lane.join()
    for lane in lanes:
        if lane.failure is not None:
            raise lane.failure
