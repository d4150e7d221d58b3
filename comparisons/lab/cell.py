"""One fault in one profile, once: from the start of the run to the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from comparisons.lab.alerts import WITHIN, Alert
from comparisons.lab.calling import CallFailed
from comparisons.lab.evidence import LogMarks, Moment, log_lines, moments
from comparisons.lab.fault import Ending, Fault
from comparisons.lab.lane import PAGES, STATIONS, Lane
from comparisons.lab.probes import Event, Held, NotReached, Trap
from comparisons.lab.verdict import Found, Row, look
from offcanvas.servers import ServerError
from shared.probe import COMMITTED, STARTED
from shared.steps import GENERATE, SUM

REACHED_WITHIN = 180.0  # seconds for a step to come to its point
GOAL = 120.0  # seconds from the heal, after which a run that is not whole counts as lost
# Our word for a run that the engine has never heard of.
NEVER_STARTED = "never started"
# What is said of a run while the engine knows of nothing wrong.
UNSUSPECTING = {
    "PENDING", "STARTED", "SUCCESS", "RETRY", "Scheduled", "Late", "Pending", "Running",
    "Completed", "RUNNING", "COMPLETED", "queued", "running", "success", NEVER_STARTED, "",
}  # fmt: skip
# Where nothing looks after what was lost: so long has nothing moved, with an empty queue.
UNMOVED = 12.0


@dataclass(frozen=True)
class Result:
    """What a cell has shown. Times are in seconds from the fault, None for what never came.

    Attributes:
        missed: what of the goal was missed; empty too where the profile has no goal to reach.
        shown: the engine's word for the run's state when the verdict was made.
        told: what the caller of the run was told by then.
        detected: first new attempt at the step that was struck, or a word of the engine for the
            run that says that something is wrong.
        attempts: how often the step that was struck was begun.
        alerts: those that began to fire after the fault; None where nobody watched.
    """

    fault: str
    profile: str
    repetition: int
    phase: str
    ending: Ending
    expected: bool
    missed: tuple[str, ...]
    found: Found | None
    error: str | None
    shown: str
    told: str
    healed: float | None
    detected: float | None
    completed: float | None
    attempts: int
    seconds: float
    timeline: tuple[Moment, ...]
    logs: dict[str, tuple[str, ...]]
    began_at: float
    fault_at: float | None
    alerts: tuple[Alert, ...] | None = None

    @property
    def alerted(self) -> float | None:
        """Seconds from the fault to the first alert."""
        return self.alerts[0].after if self.alerts else None

    @property
    def completed_after_heal(self) -> float | None:
        """Seconds from the heal, 0 where all was done before it."""
        if self.completed is None:
            return None
        return max(0.0, self.completed - (self.healed or 0.0))


@dataclass
class Cell:
    """What a fault works with."""

    lane: Lane
    fault: Fault
    repetition: int
    phase: str
    run_id: str
    execution: str | None = None
    struck: Event | None = None
    fault_at: float | None = None
    healed_at: float | None = None
    marks: list[tuple[float, str]] = field(default_factory=list)
    traps: list[Trap] = field(default_factory=list)

    def trap(
        self, point: str | None = None, *, step: str = GENERATE, item: str | None = None,
        times: int | None = 1,
    ) -> Trap:  # fmt: skip
        """Catch a step at a point, the cell's phase by default; `times=None` for every one."""
        trap = self.lane.probe.set(Trap(point or self.phase, step, item, times))
        self.traps.append(trap)
        return trap

    def catch(self, trap: Trap | None = None, number: int = 1) -> Held:
        """The `number`-th step caught in the trap, the first that was set by default."""
        held = self.lane.probe.catch(trap or self.traps[0], REACHED_WITHIN, number)
        self.struck = self.struck or held.event
        return held

    def start_run(self) -> None:
        """Have the caller start the run."""
        self.mark("the run is started")
        self.execution = self.lane.caller.ask(
            "start", variant=self.fault.variant, run_id=self.run_id
        )

    def mark(self, what: str) -> None:
        """Note something in the timeline."""
        self.marks.append((time.time(), what))

    def strike(self, what: str) -> None:
        """Note the moment of the fault; to be called right before it. The first one counts."""
        self.fault_at = self.fault_at or time.time()
        self.mark(f"FAULT: {what}")

    def healed(self, what: str) -> None:
        """Note the moment from which on nothing is in the way any more. The last one counts."""
        self.healed_at = time.time()
        self.mark(f"HEAL: {what}")

    def look(self) -> Found:
        """The run as it lies there now."""
        with self.lane.session() as session:
            folder = self.lane.folder / "rolls" / self.run_id
            return look(session, self.run_id, folder, (STATIONS, PAGES))

    def events(self, point: str, item: str | None = None) -> list[Event]:
        """What the steps that print rolls have told of a point."""
        return [
            event
            for event in self.lane.probe.events(self.run_id)
            if (event.point, event.step) == (point, GENERATE) and item in {None, event.item}
        ]

    def struck_again(self) -> Event | None:
        """The next attempt at the step that was struck."""
        if self.struck is None or self.fault_at is None:
            return None
        later = (e for e in self.events(STARTED, self.struck.item) if e.at > (self.fault_at or 0))
        return next(later, None)


def run_cell(lane: Lane, fault: Fault, repetition: int) -> Result:
    """Run it, judge it, and leave the lane ready for the next one."""
    began = time.time()
    phase = fault.phases[(repetition - 1) % len(fault.phases)]
    cell = Cell(lane, fault, repetition, phase, f"{fault.id.lower()}-{repetition}")
    logs = LogMarks.now(lane.logs)
    error = None
    if lane.alerts is not None:
        lane.alerts.settle(lane.pause)
    try:
        fault.prepare(cell)
        fault.start(cell)
        fault.inject(cell)
        fault.heal(cell)
        if cell.fault_at is None:
            error = "the fault did not say when it came"
    except (NotReached, CallFailed, ServerError) as failed:
        error = f"{type(failed).__name__}: {failed}"
        cell.mark(error)
        found, shown, detected = None, "", None
    else:
        found, shown, detected = _observe(cell)
    told = _told(cell) if cell.execution is not None and error is None else ""
    result = _result(cell, began, found, error, shown, told, detected, logs)
    result = replace(result, alerts=_alerts(cell, result))
    unfinished = result.ending not in {Ending.WHOLE, Ending.REPEATED}
    fault.clean(cell)
    lane.forget(cell.run_id)
    lane.make_ready(
        fresh=fault.spoils_worker or unfinished,
        execution=cell.execution if unfinished else None,
    )
    return result


def _alerts(cell: Cell, result: Result) -> tuple[Alert, ...] | None:
    """What fired since the fault; where work was lost, an alert gets its time to fire."""
    watching = cell.lane.alerts
    if watching is None or cell.fault_at is None:
        return None
    deadline = time.time() + WITHIN
    found = watching.since(cell.fault_at)
    while not found and result.ending is Ending.LOST and time.time() < deadline:
        cell.lane.pause(1.0)
        found = watching.since(cell.fault_at)
    return found


def _observe(cell: Cell) -> tuple[Found, str, float | None]:
    """Wait for the end, or for the time at which the rest counts as lost."""
    lane = cell.lane
    shown = _shown(cell)
    detected: float | None = None
    asked = time.time()
    while True:
        found = cell.look()
        again = cell.struck_again()
        if detected is None and again is not None:
            detected = again.at
        if cell.fault.missed(cell, found) == []:
            break
        now = time.time()
        if now - asked > 1.0:
            asked = now
            shown = _shown(cell)
            if detected is None and shown not in UNSUSPECTING:
                detected = now
        if now - _since(cell) > GOAL or (not lane.profile.recovers and _unmoved(cell, now)):
            break
        lane.pause(0.25)
    _settle(cell)
    again = cell.struck_again()
    if detected is None and again is not None:
        detected = again.at
    return cell.look(), _shown(cell) or shown, detected


def _since(cell: Cell) -> float:
    return cell.healed_at or cell.fault_at or time.time()


def _unmoved(cell: Cell, now: float) -> bool:
    last = max((e.at for e in cell.lane.probe.events(cell.run_id)), default=0.0)
    if now - max(last, _since(cell)) < UNMOVED:
        return False
    try:
        return not cell.lane.caller.ask("queued", within=15.0)
    except CallFailed:
        return False


def _settle(cell: Cell) -> None:
    """Let late repetitions come: until no step has told anything for a while."""
    cell.lane.probe.clear_traps()
    deadline = time.time() + 20.0 + cell.fault.settle
    while time.time() < deadline:
        last = max((e.at for e in cell.lane.probe.events(cell.run_id)), default=0.0)
        if time.time() - max(last, _since(cell)) > cell.fault.settle:
            return
        cell.lane.pause(0.2)


def _shown(cell: Cell) -> str:
    if cell.execution is None:
        return NEVER_STARTED
    try:
        return str(cell.lane.caller.ask("shown", execution=cell.execution, within=10.0))
    except CallFailed as error:
        if "no answer" in str(error):
            cell.lane.caller.kill()  # it hangs in a question; the next one gets a new caller
        return ""


def _told(cell: Cell) -> str:
    try:
        told = cell.lane.caller.ask("outcome", execution=cell.execution, timeout=2.0, within=15.0)
    except CallFailed as error:
        cell.lane.caller.kill()
        return f"an error: {error}"
    return str(told)


def _result(
    cell: Cell, began: float, found: Found | None, error: str | None, shown: str, told: str,
    detected: float | None, logs: LogMarks,
) -> Result:  # fmt: skip
    fault, profile = cell.fault, cell.lane.profile
    zero = cell.fault_at or began
    missed = ["the fault could not be injected"] if found is None else fault.missed(cell, found)
    ending = Ending.NOT_INJECTED if found is None else fault.ending(cell, found)
    completed = None if found is None or missed else _completed(found)
    if completed is not None and completed - _since(cell) > GOAL:
        missed = [f"whole only {completed - _since(cell):.0f} s after the heal"]
    expected = fault.expects.get(profile.name)
    struck = cell.struck
    return Result(
        fault=fault.id,
        profile=profile.name,
        repetition=cell.repetition,
        phase=cell.phase,
        ending=ending,
        expected=expected is not None and ending in expected.endings,
        missed=tuple(missed) if profile.goal or found is None else (),
        found=found,
        error=error,
        shown=shown,
        told=told,
        healed=None if cell.healed_at is None else cell.healed_at - zero,
        detected=None if detected is None else detected - zero,
        completed=None if completed is None else max(0.0, completed - zero),
        attempts=len(cell.events(STARTED, struck.item)) if struck is not None else 0,
        seconds=time.time() - began,
        timeline=moments(cell.marks, cell.lane.probe.events(cell.run_id), zero),
        logs=log_lines(logs, cell.lane.logs, cell.lane.folder),
        began_at=began,
        fault_at=cell.fault_at,
    )


def _completed(found: Found) -> float | None:
    """When the last missing effect was there: the later executions of a step do not count."""
    first: dict[str, float] = {}
    for row in found.ledger:
        if row.step == GENERATE:
            first[row.item] = min(row.finished_at, first.get(row.item, row.finished_at))
    last = max(first.values(), default=None)
    if last is None:
        return None
    return max([last, *_first_sum(found.ledger, last)])


def _first_sum(rows: tuple[Row, ...], last: float) -> list[float]:
    sums = sorted(row.finished_at for row in rows if row.step == SUM and row.finished_at >= last)
    return sums[:1]


__all__ = ["COMMITTED", "Cell", "Result", "run_cell"]
