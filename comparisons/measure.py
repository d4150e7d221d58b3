"""One run, measured and checked."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from comparisons.decomposition import decompose
from comparisons.reference import Reference
from comparisons.results import Bar, Run
from comparisons.stage import Worker
from comparisons.verify import Verdict, failed, verify_variant, verify_workload
from offcanvas.meter import AfterWork, Meter, cpu_seconds, wait_until_quiet
from shared.contract import EngineClient, Outcome, TaskSpan
from shared.database import transaction
from shared.models import Base, Effect
from shared.steps import GENERATE, rolls_folder
from shared.variants import BY_NAME, Answer
from shared.workloads import parse

TIMEOUT = 900.0  # seconds for one run
LEDGER_TIMEOUT = 180.0  # seconds for the last effects after the caller has its answer
RECORDS_TIMEOUT = 180.0  # seconds for the engine's own records after the end
READING = 0.5  # seconds; a client that takes longer has been waiting for records
QUIET_SHARE = 0.15  # of one core; an idle Prefect server uses a few per cent


@dataclass(frozen=True)
class Lane:
    """An engine, ready to work: its client, its worker and the processes to be measured."""

    engine: str
    client: EngineClient
    worker: Worker
    server_pids: tuple[int, ...]

    @property
    def groups(self) -> Mapping[str, Sequence[int]]:
        """Root process ids by group, for the meter."""
        return {"workers": (self.worker.process.pid,), "servers": self.server_pids}

    @property
    def pids(self) -> tuple[int, ...]:
        """All root process ids."""
        return (self.worker.process.pid, *self.server_pids)


@dataclass(frozen=True)
class Measurement:
    """How runs are measured: shared by all of them."""

    truth: Reference | None
    concurrency: int
    keep_rolls: Path | None
    others: Sequence[int]

    def run(self, lane: Lane, job: str, repetition: int) -> Run:
        """Run a job once: measure, wait for the work after the end, check, tidy up."""
        run_id = new_run_id(job, lane.engine, repetition)
        lane.worker.check()
        wait_until_quiet(self.others, share=QUIET_SHARE, limit=30.0)
        clock = _Clock()
        meter = Meter(lane.groups)
        try:
            with meter:
                outcome = clock.time(lane.client, job, run_id, self._effects_due(job, lane.engine))
        except Exception as error:
            lane.worker.check()
            return Run(repetition, job, lane.engine, failed(f"{type(error).__name__}: {error}"))
        finally:
            after = wait_until_quiet(lane.pids, share=QUIET_SHARE)
        spans, after = _complete_spans(lane, clock, after, _steps_of(job))
        verdict = self._verdict(lane, job, run_id, outcome, spans)
        run = self._record(lane, job, repetition, run_id, clock, meter, after, spans, verdict)
        self._tidy(job, lane.engine, repetition, run_id)
        return run

    def _effects_due(self, job: str, engine: str) -> int:
        """How many effects to wait for after the answer; 0 where the answer is the end."""
        known = BY_NAME.get(job)
        if known is None or self.truth is None:
            return 0
        if known.answer is Answer.TOTAL and not (known.celery_error and engine == "celery"):
            return 0
        return self.truth.executed_for(job, engine).total()

    def _verdict(
        self, lane: Lane, job: str, run_id: str, outcome: Outcome, spans: Sequence[TaskSpan]
    ) -> Verdict:
        if job not in BY_NAME:
            return verify_workload(job, outcome, len(spans))
        if self.truth is None:
            raise ValueError(f"{job} needs a roll book")
        return verify_variant(job, lane.engine, run_id, outcome, self.truth)

    def _record(
        self,
        lane: Lane,
        job: str,
        repetition: int,
        run_id: str,
        clock: _Clock,
        meter: Meter,
        after: AfterWork,
        spans: Sequence[TaskSpan],
        verdict: Verdict,
    ) -> Run:
        rolled = first_roll(run_id)
        return Run(
            repetition=repetition,
            job=job,
            engine=lane.engine,
            verdict=verdict,
            makespan=clock.end - clock.begin,
            first_roll=None if rolled is None else rolled - clock.begin,
            tasks=effects(run_id) or _steps_of(job),
            workers=meter.usage("workers"),
            servers=meter.usage("servers"),
            after=after,
            parts=decompose(spans, clock.begin, clock.end, self.concurrency),
            timeline=timeline(spans, clock.begin),
            metering_cpu_seconds=meter.own_cpu_seconds,
        )

    def _tidy(self, job: str, engine: str, repetition: int, run_id: str) -> None:
        """Forget the run, so that the next one meets a database of the same size."""
        folder = rolls_folder(run_id)
        if folder.is_dir():
            if self.keep_rolls is not None:
                self.keep_rolls.mkdir(exist_ok=True)
                shutil.move(folder, self.keep_rolls / f"{job}-{engine}-{repetition}")
            else:
                shutil.rmtree(folder)
        forget(run_id)


class _Clock:
    """The run's begin and end, in seconds since the epoch."""

    begin = end = 0.0
    execution_id = ""

    def time(self, client: EngineClient, job: str, run_id: str, effects_due: int) -> Outcome:
        """Start, wait, and note when it was over."""
        self.begin = time.time()
        self.execution_id = client.start(job, run_id)
        outcome = client.wait(self.execution_id, TIMEOUT)
        self.end = time.time()
        if effects_due:
            _wait_for(lambda: effects(run_id) >= effects_due, LEDGER_TIMEOUT)
            # Nobody is told when the last roll is there; the ledger knows. An error reaches the
            # caller at a time of its own, before or after that.
            errors = outcome.error_type is not None
            self.end = max(last_effect(run_id), self.end if errors else self.begin)
        return outcome


def _steps_of(job: str) -> int:
    """The least number of tasks that an engine's records of the job must hold."""
    known = parse(job)
    return 1 if known is None else known[1]


def _complete_spans(
    lane: Lane, clock: _Clock, after: AfterWork, at_least: int
) -> tuple[list[TaskSpan], AfterWork]:
    """The engine's records, once they are whole.

    A server that writes its records in batches can be quiet in between: the work after the end is
    over when the last record is there, whether the client waits for it or returns too few.
    """
    deadline = time.monotonic() + RECORDS_TIMEOUT
    while True:
        asked, used = time.monotonic(), cpu_seconds(lane.pids)
        spans = lane.client.spans(clock.execution_id)
        whole = len(spans) >= at_least
        if whole and time.monotonic() - asked < READING:
            return spans, after
        over = time.time()
        over += wait_until_quiet(lane.pids, share=QUIET_SHARE).seconds
        spent = cpu_seconds(lane.pids) - used
        after = AfterWork(over - clock.end, after.cpu_seconds + spent)
        if whole or time.monotonic() > deadline:
            return spans, after


def _wait_for(reached: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.05)


def new_run_id(job: str, engine: str, repetition: int) -> str:
    """A run id that was never used."""
    return f"{job.replace(':', '-')}-{engine}-{repetition}-{secrets.token_hex(3)}"


def effects(run_id: str) -> int:
    """How many steps the ledger says have been executed."""
    query = select(func.count()).select_from(Effect).where(Effect.run_id == run_id)
    with transaction(read_only=True) as session:
        return session.scalars(query).one()


def last_effect(run_id: str) -> float:
    """When the last step ended; 0 if there was none."""
    query = select(func.max(Effect.finished_at)).where(Effect.run_id == run_id)
    with transaction(read_only=True) as session:
        return session.scalars(query).one() or 0.0


def first_roll(run_id: str) -> float | None:
    """When the first roll was there."""
    query = select(func.min(Effect.finished_at)).where(
        Effect.run_id == run_id, Effect.step == GENERATE
    )
    with transaction(read_only=True) as session:
        return session.scalars(query).one()


def forget(run_id: str) -> None:
    """Remove all rows of a run."""
    with transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if "run_id" in table.columns:
                session.execute(table.delete().where(table.c.run_id == run_id))


def timeline(spans: Sequence[TaskSpan], begin: float) -> tuple[Bar, ...]:
    """The tasks in slots without overlap, one row of a chart each.

    A task goes on a row of its own worker that is free, or else begins a new one. Where an engine
    has a process for each task, so that every worker's name appears once, it goes on any free row.
    """
    workers = [span.worker for span in spans]
    reused = len(set(workers)) <= len(workers) / 2
    rows: list[tuple[str, float]] = []  # worker, end of its last task
    bars = []
    for span in sorted(spans, key=lambda s: (s.started_at, s.finished_at)):
        free = [
            slot
            for slot, (worker, until) in enumerate(rows)
            if until <= span.started_at and (worker == span.worker or not reused)
        ]
        slot = free[0] if free else len(rows)
        rows[slot : slot + 1] = [(span.worker, span.finished_at)]
        start, end = span.started_at - begin, span.finished_at - begin
        bars.append(Bar(span.task, span.item, slot, round(start, 4), round(end, 4)))
    return tuple(bars)
