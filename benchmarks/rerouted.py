"""The reference's canvases rerouted to an engine, beside their hand-written ports on that engine.

    python -m benchmarks.rerouted temporal
    python -m benchmarks.rerouted prefect
    python -m benchmarks.rerouted prefect --width 100 --width 1000 --rounds 5

Measured are `chord_by_station` on 10,000 made-up voters, and chords of tasks that do nothing. The
kit runs `celery_impl` as it is, results stored in Redis; the port stores none. Each has a worker
of two processes on the same private server. Runs are interleaved, kit and port taking turns to be
first, and each begins when server and workers have done with the one before. Of more than 1,000
tasks there is one run, by the kit.

Seconds are from the start to the engine's word that the run has ended: medians, least and most.
`each` is the time for each task by that of the narrowest width: above 1, time grows faster than the
width. CPU and memory are the worker's, its processes included: CPU seconds of the kit by those of
the port, and the highest proportional set size so far.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from comparisons import stage
from comparisons.compare import load_client
from comparisons.measure import QUIET_SHARE
from offcanvas import servers
from offcanvas._reroute import reroute
from offcanvas.canvas.lift import lift
from offcanvas.meter import Meter, wait_until_quiet
from shared.contract import EngineClient
from shared.database import transaction
from shared.fake import DEFAULT_SEED, DEFAULT_VOTERS, fake_roll_book
from shared.roll_book import fill

WITHIN = 1_800.0  # seconds; a limit for what never comes, not an expectation
PROCESSES = "2"
MANY = 1_000
LIFTED = 10_000
VARIANT = "chord_by_station"
COLUMNS = ("canvas", "kit, s", "port, s", "kit : port", "CPU", "each", "kit, MB", "port, MB")

HasEnded: TypeAlias = Callable[[str], object]


class Engine(StrEnum):
    """Engines with a port."""

    PREFECT = "prefect"
    TEMPORAL = "temporal"


@dataclass
class Side:
    """The kit or the port: how it is started and followed, and what its runs took."""

    name: str
    worker: stage.Worker
    client: EngineClient
    has_ended: HasEnded
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: float = 0.0

    def run(self, canvas: str) -> int | None:
        """Run it and measure; returns what it counted."""
        with Meter({"worker": [self.worker.process.pid]}) as meter:
            begun = time.perf_counter()
            execution = self.client.start(canvas, f"{self.name}-{time.monotonic_ns()}")
            self.has_ended(execution)
            self.seconds.append(time.perf_counter() - begun)
        used = meter.usage("worker")
        self.cpu.append(used.cpu_seconds or 0.0)
        self.memory = max(self.memory, used.peak_memory_bytes or 0)
        return self.client.wait(execution, WITHIN).total_pages

    def __str__(self) -> str:
        """Seconds: median (least to most)."""
        if not self.seconds:
            return "-"
        middle, least, most = statistics.median(self.seconds), min(self.seconds), max(self.seconds)
        return f"{middle:.2f} ({least:.2f} to {most:.2f})"


def main(
    engine: Annotated[Engine, typer.Argument(help="Where to.")],
    width: Annotated[list[int] | None, typer.Option(min=1, help="Tasks side by side.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 5,
) -> None:
    """Measure and print."""
    canvases = [VARIANT, *(f"noop:{one}" for one in sorted(width or [100, 1_000, 10_000]))]
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        stack.enter_context(stage.private_database(folder))
        stage.set_environment({"ROLLS_DIR": str(folder / "rolls"), "CONCURRENCY": PROCESSES})
        with transaction() as session:
            fill(session, fake_roll_book(DEFAULT_VOTERS, DEFAULT_SEED))
        starters = [servers.redis, getattr(servers, engine)]
        running = stack.enter_context(servers.start_together(*starters))
        for server in running:
            stage.set_environment(dict(server.environment))
        sides = stack.enter_context(_sides(engine, folder))
        pids = [running[-1].pid, *(side.worker.process.pid for side in sides)]
        table = Table(*COLUMNS)
        first = 0.0
        for canvas in canvases:
            tasks = int(canvas.partition(":")[2] or 0)
            _measure(canvas, sides, rounds if tasks <= MANY else 1, pids)
            each = statistics.median(sides[0].seconds) / tasks if tasks else 0.0
            first = first or each
            table.add_row(canvas, *_row(*sides, each / first if tasks else None))
    console = Console()
    console.print(table)
    console.print(_lifting())


@contextmanager
def _sides(engine: Engine, folder: Path) -> Iterator[tuple[Side, Side]]:
    """Kit and port with a worker each, warm."""
    from celery_impl.app import connect

    with ExitStack() as stack:
        celery, client = load_client("celery"), load_client(engine)
        stack.callback(client.close)
        stack.callback(celery.close)
        kit = stage.Worker.start("kit", _worker_of_the_kit(engine), folder)
        stack.callback(kit.stop)
        port = stage.Worker.start(engine, client.worker_command(int(PROCESSES)), folder)
        stack.callback(port.stop)
        client.wait_for_worker(WITHIN)
        while b": at work " not in kit.log.read_bytes():
            kit.check()
            time.sleep(0.1)
        ended = stack.enter_context(_ends(engine, client))
        stack.enter_context(reroute(connect(), to=engine))
        yield Side("kit", kit, celery, ended[0]), Side("port", port, client, ended[1])


def _worker_of_the_kit(engine: Engine) -> list[str]:
    module = f"offcanvas.engines.{engine}"
    return [sys.executable, "-m", module, "celery_impl.app:app", "--processes", PROCESSES]


@contextmanager
def _ends(engine: Engine, client: EngineClient) -> Iterator[tuple[HasEnded, HasEnded]]:
    """How to wait for the kit's canvas and for the port's run."""
    if engine == Engine.TEMPORAL:
        from offcanvas.engines.temporal.caller import caller
        from offcanvas.engines.temporal.client import find, finish

        with caller(None, "offcanvas") as workflows:

            def walked(execution: str) -> None:
                while not (started := workflows.wait(find(workflows.client, execution))):
                    time.sleep(0.01)
                handle = workflows.client.get_workflow_handle(started[0])
                workflows.wait(finish(workflows.client, handle))

            yield walked, lambda execution: client.wait(execution, WITHIN)
    else:
        from offcanvas.engines.prefect.client import Caller
        from offcanvas.engines.prefect.connection import address

        # Whoever waits for a flow run has to ask: kit and port in the same way.
        with Caller(address()) as flows:
            yield (
                lambda execution: [flows.finish(one, WITHIN) for one in flows.find(execution)],
                lambda execution: flows.finish(UUID(execution), WITHIN),
            )


def _measure(canvas: str, sides: tuple[Side, Side], rounds: int, pids: list[int]) -> None:
    for side in sides:
        side.seconds.clear()
        side.cpu.clear()
    alone = int(canvas.partition(":")[2] or 0) > MANY
    for number in range(rounds):
        turns = sides[:1] if alone else sides[:: 1 if number % 2 == 0 else -1]
        counted = set()
        for side in turns:
            wait_until_quiet(pids, share=QUIET_SHARE)
            counted.add(side.run(canvas))
        if len(counted) != 1 or None in counted:
            raise SystemExit(f"{canvas} counted {counted}: the measurement is worth nothing")


def _row(kit: Side, port: Side, each: float | None) -> Iterator[str]:
    yield str(kit)
    yield str(port)
    if port.seconds:
        yield f"{statistics.median(kit.seconds) / statistics.median(port.seconds):.2f}"
        yield f"{statistics.median(kit.cpu) / statistics.median(port.cpu):.2f}"
    else:
        yield from "--"
    yield "-" if each is None else f"{each:.2f}"
    yield f"{kit.memory / 1e6:.0f}"
    yield f"{port.memory / 1e6:.0f}"


def _lifting() -> str:
    """How long a wide chord takes to become a plan's nodes."""
    from celery_impl.workloads import canvas

    chord = canvas("lifted", "noop", LIFTED)
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        lift(chord)
        took.append(time.perf_counter() - begun)
    return (
        f"A chord over {LIFTED:,} is lifted in {statistics.median(took):.2f} s "
        f"({min(took):.2f} to {max(took):.2f})"
    )


if __name__ == "__main__":
    typer.run(main)
