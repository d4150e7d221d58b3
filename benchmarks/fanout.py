"""Wide chords and lone tasks on a real Celery worker and rerouted, beside each other.

    python -m benchmarks.fanout temporal --members 10000 --batch auto
    python -m benchmarks.fanout prefect --members 10000 --batch auto --lone 5000

One private Redis is Celery's broker and everybody's result backend; Celery and the engine have a
worker of two processes each. Runs take turns, and each begins when servers and workers have done
with the one before. Seconds are from the call to the value in the caller's hands: medians, least
and most. The caller of a chord waits with `propagate=False`: without it Celery's result object
looks at every member of the header again with each message, most of the time measured.
`growth` is by how much the memory of the engine's worker has grown at the most, its processes
included (proportional set size).
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.keeping import keep as keep_rows
from comparisons import stage
from comparisons.measure import QUIET_SHARE
from offcanvas import servers
from offcanvas._reroute import reroute
from offcanvas.engines.batches import Batch, batch_of_word
from offcanvas.errors import UsageError
from offcanvas.meter import Meter, cpu_seconds, memory_bytes, wait_until_quiet

WITHIN = 3_600.0  # seconds; a limit for what never comes, not an expectation
PROCESSES = 2
COLUMNS = ("work", "Celery, s", "kit, s", "kit : Celery", "growth, MB")


class Engine(StrEnum):
    """Where the kit sends canvases."""

    PREFECT = "prefect"
    TEMPORAL = "temporal"


class Way(StrEnum):
    """How tasks go that are sent alone (`lone=` of `reroute`)."""

    ONE_BY_ONE = "none"
    BURST = "burst"
    ACTIVITY = "activity"
    AUTO = "auto"


@dataclass
class Measured:
    """Seconds of one kind of work on both sides, and the growth of the engine's worker."""

    work: str
    celery: list[float] = field(default_factory=list)
    kit: list[float] = field(default_factory=list)
    celery_cpu: list[float] = field(default_factory=list)
    kit_cpu: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)

    def row(self) -> tuple[str, ...]:
        """As the table shows it."""
        ratio = statistics.median(self.kit) / statistics.median(self.celery) if self.celery else 0.0
        return (
            self.work,
            told(self.celery),
            told(self.kit),
            f"{ratio:.2f}" if ratio else "-",
            f"{max(self.growth) / 1e6:.0f}",
        )


def told(seconds: list[float]) -> str:
    """Median (least to most)."""
    if not seconds:
        return "-"
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def main(
    engine: Annotated[Engine, typer.Argument(help="Where to.")],
    members: Annotated[list[int] | None, typer.Option(min=1, help="Width of a chord.")] = None,
    lone: Annotated[int, typer.Option(min=0, help="Tasks sent alone, in a burst.")] = 0,
    way: Annotated[Way, typer.Option(help="How lone tasks go.")] = Way.BURST,
    batch: Annotated[str, typer.Option(help="none, auto, or a number.")] = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 3,
    celery_up_to: Annotated[int, typer.Option(help="Wider chords are not run on Celery.")] = 20_000,
    keep: Annotated[Path | None, typer.Option(help="Write the figures there, as JSON.")] = None,
) -> None:
    """Measure and print."""
    try:
        together = batch_of_word(batch)
        _fitting(way, engine)
    except UsageError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        raise typer.Exit(2) from None
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        running = stack.enter_context(stand(engine, folder))
        works: list[tuple[str, int, Callable[[], object]]] = []
        from benchmarks import fan_app

        # First what the traces of hundreds of thousands of tasks on the server would slow down.
        if lone:
            works.append((f"{lone:,} alone", lone, lambda: alone(fan_app, lone)))
        for width in members or ([] if lone else [10_000]):
            works.append((f"chord of {width:,}", width, partial(_chord, fan_app, width)))
        found = []
        for name, count, work in works:
            beside = rounds if count <= celery_up_to else 0
            found.append(_measure(name, work, running, together, rounds, beside, way))
    table = Table(*COLUMNS)
    for one in found:
        table.add_row(*one.row())
    Console().print(table)
    if keep is not None:
        keep_rows(keep, [{**vars(one), "batch": batch, "way": str(way)} for one in found])


def _fitting(way: Way, engine: Engine) -> None:
    if way is Way.ACTIVITY and engine is not Engine.TEMPORAL:
        raise UsageError("--way activity is for temporal")


def _chord(fan_app: Any, width: int) -> None:
    answer = fan_app.fan(width).apply_async().get(timeout=WITHIN, propagate=False)
    if answer != width:
        raise SystemExit(f"the chord of {width} counted {answer}: this measures nothing")


def alone(fan_app: Any, count: int) -> None:
    """Send so many tasks alone and wait for all of them."""
    results = [fan_app.noop.delay(number) for number in range(count)]
    answers = [one.get(timeout=WITHIN) for one in results]
    if answers != list(range(count)):
        raise SystemExit("lone tasks gave something else: this measures nothing")


@dataclass
class Stand:
    """What runs while it is measured."""

    engine: Engine
    worker: stage.Worker
    pids: list[int]


@contextmanager
def stand(engine: Engine, folder: Path, processes: int = PROCESSES) -> Iterator[Stand]:
    """Redis, the engine's server, and a worker each."""
    with ExitStack() as stack:
        starters = [lambda: servers.redis(tcp=True), getattr(servers, engine)]
        running = stack.enter_context(servers.start_together(*starters))
        stage.set_environment({"FAN_REDIS": running[0].url})
        for server in running[1:]:
            stage.set_environment(dict(server.environment))
        celery = [sys.executable, "-m", "celery", "-A", "benchmarks.fan_app", "worker"]
        command = [*celery, "-c", str(processes), "-l", "ERROR"]
        theirs = stage.Worker.start("celery", command, folder)
        stack.callback(theirs.stop)
        module = f"offcanvas.engines.{engine}"
        command = [sys.executable, "-m", module, "benchmarks.fan_app:app"]
        kit = stage.Worker.start("kit", [*command, "--processes", str(processes)], folder)
        stack.callback(kit.stop)
        while b": at work " not in kit.log.read_bytes():
            kit.check()
            time.sleep(0.1)
        from benchmarks import fan_app

        fan_app.noop.delay(0).get(timeout=60)
        pids = [server.pid for server in running]
        yield Stand(engine, kit, [*pids, theirs.process.pid, kit.process.pid])


def _measure(
    name: str,
    work: Callable[[], object],
    running: Stand,
    batch: Batch,
    rounds: int,
    beside: int,
    way: Way,
) -> Measured:
    from benchmarks import fan_app

    measured = Measured(name)
    for number in range(max(rounds, beside)):
        if number < beside:
            measured.celery.append(_timed(work, running, measured.celery_cpu))
        if number < rounds:
            extra: dict[str, Any] = {} if batch is None else {"batch": batch}
            if name.endswith(" alone") and way is not Way.ONE_BY_ONE:
                extra["lone"] = str(way)
            with reroute(fan_app.app, to=str(running.engine), **extra):
                fan_app.noop.delay(0).get(timeout=120)
                before = memory_bytes([running.worker.process.pid])
                with Meter({"worker": [running.worker.process.pid]}) as meter:
                    measured.kit.append(_timed(work, running, measured.kit_cpu))
                peak = meter.usage("worker").peak_memory_bytes or 0
                measured.growth.append(float(max(0, peak - before)))
    return measured


def _timed(work: Callable[[], object], running: Stand, cpu: list[float]) -> float:
    wait_until_quiet(running.pids, share=QUIET_SHARE)
    gc.collect()
    everybody = [os.getpid(), *running.pids]
    used, begun = cpu_seconds(everybody), time.perf_counter()
    work()
    took = time.perf_counter() - begun
    cpu.append(cpu_seconds(everybody) - used)
    running.worker.check()
    if os.environ.get("FAN_SHOW"):
        sys.stderr.write(f"{took:.2f} s, {cpu[-1]:.2f} CPU s\n")
    return took


if __name__ == "__main__":
    typer.run(main)
