"""Servers, one worker per engine, and a client for each: what an equivalence test stands on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from comparisons import baseline
from comparisons.compare import load_client
from comparisons.reference import Reference, read_reference
from comparisons.stage import Worker
from comparisons.verify import Verdict, verify_variant
from offcanvas.servers import Server
from shared import ledger
from shared.contract import EngineClient, Outcome
from shared.database import create_tables, transaction
from shared.fake import sized
from shared.roll_book import Row, add_voter, clear, fill
from shared.settings import settings

ENGINES = ("celery", "prefect", "temporal")
CONCURRENCY = 2
WITHIN = 600.0  # seconds; a limit for what never comes, not an expectation

# Every edge of a page (40) and of a station (500), a center that nobody is registered at, and one
# of ten stations.
SIZES = (0, 1, 2, 39, 40, 41, 500, 501, 5_000)
NAMESAKES = 43
# Variants of every shape: run where running all ten would take too long.
SHORT = {"chord_by_station", "error_in_header", "starmap"}
# The same edges, as far as few stations have them: for engines that need a second for a step.
FEW = (0, 1, 41, 501)


@contextmanager
def running(
    tmp_path: Path,
    environment: Mapping[str, str],
    servers: list[Server],
    engines: Sequence[str] = ENGINES,
) -> Iterator[Stack]:
    """Workers of these engines on these servers, with this environment."""
    variables = {
        "ROLLS_DIR": str(tmp_path / "rolls"),
        "CONCURRENCY": str(CONCURRENCY),
        "CELERY_PROFILE": "hardened",
        # Nothing is lost here, and steps are counted: a sweep would make up for a run that stands
        # still for half a minute, which a Prefect server that waits for SQLite's lock makes it do.
        "SWEEP_EVERY": "86400",
    }
    for server in servers:
        variables |= server.environment
    variables |= environment
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in variables.items():
            patch.setenv(name, value)
        settings.cache_clear()
        stack.callback(settings.cache_clear)
        create_tables()
        clients: dict[str, EngineClient] = {}
        workers: dict[str, Worker] = {}
        for engine in engines:
            client = load_client(engine)
            stack.callback(client.close)
            worker = Worker.start(engine, client.worker_command(CONCURRENCY), tmp_path)
            stack.callback(worker.stop)
            clients[engine], workers[engine] = client, worker
        for engine, client in clients.items():
            try:
                client.wait_for_worker(WITHIN)
            except TimeoutError:
                raise workers[engine].error("did not take work") from None
        yield Stack(clients, workers)


@dataclass(frozen=True)
class Ended:
    """A run that has ended, and what was found right after its end."""

    run_id: str
    outcome: Outcome
    verdict: Verdict


@dataclass
class Stack:
    """The engines, ready to work, and the roll book they work on."""

    clients: dict[str, EngineClient]
    workers: dict[str, Worker]
    truth: Reference = field(init=False)
    _book: str = ""
    _loads: int = 0
    _runs: dict[str, dict[str, Ended]] = field(default_factory=dict)
    _starts: Counter[str] = field(default_factory=Counter)

    def load(self, book: str) -> None:
        """Replace the roll book, unless it is there, and work out what is true about it."""
        if self._book == book:
            return
        with transaction() as session:
            clear(session)
            if book == "few":
                fill(session, sized(FEW))
            if book == "edges":
                fill(session, sized(SIZES))
                for number in range(NAMESAKES):
                    row = Row(f"N{number:02d}", "Ana Öz", "namesakes", "École no. 1")
                    add_voter(session, row)
        self._book = book
        self._loads += 1
        self._runs.clear()
        run_id = f"baseline-{book}"
        baseline.run_steps(run_id)
        self.truth = read_reference(baseline.rolls_of(run_id))

    def run(self, variant: str) -> dict[str, Ended]:
        """The variant's first run on each engine; all engines work on it at once."""
        if variant not in self._runs:
            self._runs[variant] = self.start_and_wait(variant)
        return self._runs[variant]

    def start_and_wait(self, variant: str) -> dict[str, Ended]:
        """Start the variant on all engines, under the same run ids every time; wait for the end."""
        started = {}
        for engine, client in self.clients.items():
            # An engine remembers a run that the database has forgotten since.
            run_id = f"{variant}-{self._book}-{self._loads}-{engine}"
            self._starts[run_id] += 1
            started[engine] = (run_id, client.start(variant, run_id))
        ended = {}
        for engine, (run_id, execution) in started.items():
            outcome = self.clients[engine].wait(execution, WITHIN)
            self._wait_for_ledger(variant, engine, run_id)
            verdict = verify_variant(variant, engine, run_id, outcome, self.truth)
            ended[engine] = Ended(run_id, outcome, verdict)
        return ended

    def _wait_for_ledger(self, variant: str, engine: str, run_id: str) -> None:
        """Where the caller's answer is not the end of the work, the ledger tells the end.

        A second start repeats the work on Celery; elsewhere it is the same run.
        """
        times = self._starts[run_id] if engine == "celery" else 1
        once = self.truth.executed_for(variant, engine)
        due = Counter({key: count * times for key, count in once.items()})
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            with transaction(read_only=True) as session:
                executed = ledger.balance(session, run_id).executed
            if not due - executed:
                return
            self.workers[engine].check()
            time.sleep(0.1)
        raise TimeoutError(f"{variant} on {engine}: {due - executed} never happened")
