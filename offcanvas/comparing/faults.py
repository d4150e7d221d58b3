"""The same canvas while something goes wrong, on Celery and elsewhere: what ran, what came back.

One call of one task is held for a moment, and then the fault comes: that task is at work when it
does, on every engine. Then what an operator's supervisor does is done, a new worker or the server
again, and the caller waits for what the canvas comes to.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offcanvas.celery_app.breaking import BREAK, Broken
from offcanvas.celery_app.recorder import LEDGER
from offcanvas.checking.compare import Comparison
from offcanvas.checking.fresh import fresh
from offcanvas.checking.ledger import Ledger
from offcanvas.checking.report import BASELINE
from offcanvas.comparing.stand import STANDS, Stand, sending, stand
from offcanvas.engines.base import Outcome
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.registry import addresses
from offcanvas.errors import EngineError, UsageError, line_of
from offcanvas.printable import escaped
from offcanvas.servers.base import private_folder
from offcanvas.servers.environment import private_only

if TYPE_CHECKING:
    from offcanvas.celery_app.planning import Submission

#: Seconds for which the task is held that is at work when the fault comes.
HELD = 1.5
#: Seconds for which a worker is frozen, and the result backend away.
FROZEN, AWAY = 25.0, 5.0
#: Seconds without anything new after which nothing more is waited for.
_AT_REST = 2.0
_LOOK = 0.02


def _kill(here: Stand) -> None:
    here.workers[0].kill()
    here.add_worker()


def _freeze(here: Stand) -> None:
    here.workers[0].freeze()
    here.add_worker()
    time.sleep(FROZEN)
    here.workers[0].wake()


def _terminate(here: Stand) -> None:
    here.workers[0].terminate()
    here.add_worker()


def _restart(here: Stand) -> None:
    here.server.restart(kill=True)


def _no_results(here: Stand) -> None:
    here.results.kill()
    time.sleep(AWAY)
    here.results.start()


def _nothing(here: Stand) -> None:
    """It is the task that is at fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """title: a few words. how: what becomes of the one call. strike: the fault, and its remedy."""

    title: str
    how: Broken
    strike: Callable[[Stand], None]


FAULTS = (
    Fault("worker killed", Broken.HELD, _kill),
    Fault("worker frozen", Broken.HELD, _freeze),
    Fault("worker stopped (SIGTERM)", Broken.HELD, _terminate),
    Fault("server killed, started again", Broken.HELD, _restart),
    Fault("result backend gone for 5 s", Broken.HELD, _no_results),
    Fault("a task raises", Broken.RAISES, _nothing),
    Fault("a task hangs", Broken.HANGS, _nothing),
)
UNDISTURBED = "undisturbed"


@dataclass(frozen=True, slots=True)
class Hurt:
    """A run with a fault.

    Attributes:
        outcome: what the caller got; None if nothing came.
        attempts: how often each attempt at a task was begun, by its id and retries.
        reached: whether the task was at work that the fault was to meet.
    """

    engine: str
    fault: str
    outcome: Outcome | None
    attempts: Mapping[tuple[str, int], int]
    seconds: float
    reached: bool = True

    def told(self, whole: Hurt) -> str:
        """In words, beside a run without a fault."""
        if not self.reached:
            return "not reached: the task was never called"
        return f"{self._came(whole)}; {self._ran(whole)}"

    def came(self, whole: Hurt) -> bool:
        """Whether the caller got what it gets without a fault."""
        return self.outcome is not None and _same(self.outcome, whole.outcome)

    def _came(self, whole: Hurt) -> str:
        if self.outcome is None:
            return f"nothing came within {self.seconds:.0f} s"
        if self.outcome.error is not None:
            return f"{type(self.outcome.error).__name__} after {self.seconds:.1f} s"
        which = "the value" if self.came(whole) else "ANOTHER VALUE"
        return f"{which} after {self.seconds:.1f} s"

    def _ran(self, whole: Hurt) -> str:
        again = sum(count - 1 for count in self.attempts.values())
        fewer = len(whole.attempts) - len(self.attempts)
        told = [f"{again} ran again"] if again else []
        told += [f"{fewer} did not run"] if fewer > 0 else []
        return ", ".join(told) or "each task once"


def _same(one: Outcome, other: Outcome | None) -> bool:
    if other is None or (one.error is None) != (other.error is None):
        return False
    return one.error is not None or one.value == other.value


@dataclass(frozen=True, slots=True)
class Faults:
    """All runs; `refused`: engine -> why it ran nothing."""

    target: str
    task: str
    runs: tuple[Hurt, ...]
    refused: Mapping[str, str]

    @property
    def engines(self) -> list[str]:
        """Celery first."""
        return [*dict.fromkeys(run.engine for run in self.runs)]

    def of(self, engine: str, fault: str) -> Hurt:
        """The run of a fault on an engine."""
        return next(run for run in self.runs if (run.engine, run.fault) == (engine, fault))

    @property
    def worse(self) -> list[tuple[str, str]]:
        """Engines and faults with which nothing came back, where on Celery something did."""
        return [
            (engine, fault.title)
            for engine in self.engines
            for fault in FAULTS
            if self.of(engine, fault.title).outcome is None
            and self.of(BASELINE, fault.title).outcome is not None
        ]


def hurt(
    target: str,
    submission: Submission,
    wanted: Comparison,
    tell: Callable[[str], None] = lambda _text: None,
) -> Faults:
    """Run on Celery and on each engine, once undisturbed and once with each fault.

    Raises:
        EngineError: an engine does not come up, or does not finish the canvas undisturbed.
        UsageError: none of the engines has workers and a server that can be hurt.
    """
    refused = {one.engine: one.reason for one in wanted.settled}
    engines = [BASELINE]
    for one in wanted.engines:
        if one.name in STANDS:
            engines.append(one.name)
        else:
            refused[one.name] = "it has no worker and no server of its own that could be hurt"
    if len(engines) == 1:
        raise UsageError(
            "--faults: none of the engines can be hurt; name one: --on temporal, --on prefect"
        )
    folder = private_folder("faults")
    runs: list[Hurt] = []
    task = ""
    try:
        with private_only(*addresses()):
            for name in engines:
                tell(f"{name}: starting")
                with stand(name, submission.app, folder) as here:
                    book = _Book(here, submission, folder)
                    whole = book.run(UNDISTURBED)
                    if whole.outcome is None:
                        raise EngineError(
                            f"{name} has not finished the canvas undisturbed within the timeout; "
                            "allow more with --timeout"
                        )
                    task = task or book.most_called()
                    runs.append(whole)
                    for fault in FAULTS:
                        tell(f"{name}: {fault.title}")
                        runs.append(book.run(fault.title, fault, task))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Faults(target, task, tuple(runs), refused)


class _Book:
    """Runs on one engine, and what their tasks have written down."""

    def __init__(self, here: Stand, submission: Submission, folder: Path) -> None:
        self._here = here
        self._submission = submission
        self._folder = folder
        self._entries: Sequence[Mapping[str, Any]] = ()

    def most_called(self) -> str:
        """The task that was called most often in the last run, and of these the first."""
        names = Counter(one["name"] for one in self._entries if one["event"] == "began")
        return str(names.most_common(1)[0][0])

    def run(self, title: str, fault: Fault | None = None, task: str = "") -> Hurt:
        """One run with this fault."""
        here, wait = self._here, self._submission.timeout or 60.0
        name = f"{here.name}-{title.split(maxsplit=1)[0]}-{time.monotonic_ns()}"
        ledger, flag = Ledger(self._folder / name), self._folder / f"{name}.flag"
        environment = {LEDGER: str(ledger.path)}
        if fault is not None:
            broken = {"task": task, "how": fault.how, "flag": str(flag), "seconds": HELD}
            environment[BREAK] = json.dumps(broken)
        with here.run(environment):
            begun = time.monotonic()
            given = replace(self._submission, signature=fresh(self._submission.signature))
            result = sending(here, given)
            reached = True
            if fault is not None:
                reached = _until(flag.exists, wait)
                if reached:
                    fault.strike(here)
            outcome = _outcome(result, begun + wait)
            seconds = time.monotonic() - begun
            self._entries = _at_rest(ledger)
        attempts = Counter(
            (str(one["id"]), int(one["retries"]))
            for one in self._entries
            if one["event"] == "began"
        )
        return Hurt(here.name, title, outcome, attempts, seconds, reached)


def _until(reached: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK)
    return True


def _outcome(result: Any, deadline: float) -> Outcome | None:
    """What the caller gets; None if nothing comes. A result backend that is away is asked again."""
    while True:
        left = max(0.1, deadline - time.monotonic())
        try:
            found = outcome_of(result, timeout=left, interval=0.1)
        except Exception as error:
            if time.monotonic() > deadline:
                raise EngineError(f"the results cannot be read: {line_of(error)}") from error
            time.sleep(0.2)
            continue
        return None if found.state == "PENDING" else found


def _at_rest(ledger: Ledger) -> list[dict[str, Any]]:
    """All entries, once nothing has been added for a while."""
    entries, since = ledger.entries(), time.monotonic()
    while time.monotonic() - since < _AT_REST:
        time.sleep(0.1)
        now = ledger.entries()
        if len(now) != len(entries):
            entries, since = now, time.monotonic()
    return entries


def as_text(found: Faults) -> str:
    """A table for each fault: what came back and what ran on each engine."""
    lines = [f"{found.target}: one call of {found.task} is at work when the fault comes"]
    titles = [UNDISTURBED, *(fault.title for fault in FAULTS)]
    width = max(map(len, found.engines))
    for title in titles:
        lines.append(f"{title}:")
        for engine in found.engines:
            told = found.of(engine, title).told(found.of(engine, UNDISTURBED))
            lines.append(f"  {engine.ljust(width)}  {told}")
    lines += [f"{engine}: {reason}" for engine, reason in found.refused.items()]
    return "\n".join(map(escaped, lines)) + "\n"


def as_json(found: Faults) -> str:
    """Every run, for programs."""
    runs = [
        {
            "engine": run.engine,
            "fault": run.fault,
            "reached": run.reached,
            "state": None if run.outcome is None else run.outcome.state,
            "error": _name(run.outcome),
            "as_undisturbed": run.came(found.of(run.engine, UNDISTURBED)),
            "seconds": round(run.seconds, 3),
            "tasks": len(run.attempts),
            "ran_again": sum(count - 1 for count in run.attempts.values()),
        }
        for run in found.runs
    ]
    raw = {"target": found.target, "task": found.task, "runs": runs, "refused": found.refused}
    return json.dumps(raw, indent=2) + "\n"


def _name(outcome: Outcome | None) -> str | None:
    return None if outcome is None or outcome.error is None else type(outcome.error).__name__
