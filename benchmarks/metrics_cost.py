"""What metrics cost: the same fan-out of tasks that do nothing, with metrics and without.

    python -m benchmarks.metrics_cost
    python -m benchmarks.metrics_cost celery temporal --width 400 --rounds 6

In each round a worker of two processes is started without metrics and one with them, taking turns
to be the first, on the same private server. With metrics means: the worker counts, its port is read
every five seconds, and a watch looks as often, all on this machine. Each worker does one fan-out to
get warm, and then several that are measured.

Told are seconds from the start to the result and CPU seconds of the worker with all its processes,
each as the median over all fan-outs with the least and the greatest, and by the medians the ratio,
with metrics : without. The watch's CPU is not the worker's, and is told beside it. `--json FILE`
keeps the figures; those of engines that FILE has and this run has not stay in it.

`memory` is the kit with a process for each CPU: counting is switched on and off between
fan-outs, which take turns, so that a busy machine is as busy for both.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer
from rich.console import Console
from rich.table import Table

from comparisons import stage
from comparisons.compare import load_client
from comparisons.export import write_whole
from comparisons.machine import environment
from comparisons.results import Spread, now
from offcanvas import metrics, servers
from offcanvas._reroute import reroute
from offcanvas.meter import Meter, cpu_seconds
from offcanvas.servers.base import free_port, leashed, stop_process_group
from shared.contract import EngineClient

WITHIN = 600.0  # seconds; a limit for what never comes, not an expectation
PROCESSES = 2
READ_EVERY = 5.0  # seconds
FAN_OUTS = 3
SERVERS = {"celery": "redis", "temporal": "temporal", "prefect": "prefect"}
MEMORY = "memory"
ENGINES = (MEMORY, *SERVERS)


@dataclass
class Side:
    """With metrics or without: what its fan-outs took."""

    name: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one engine: both sides, and the ratio of the second's medians to the first's."""

    engine: str
    without: Side
    metered: Side

    @property
    def seconds(self) -> tuple[Spread, Spread]:
        """Of a fan-out, without and with metrics."""
        return Spread.of(self.without.seconds), Spread.of(self.metered.seconds)

    @property
    def cpu(self) -> tuple[Spread, Spread]:
        """CPU seconds of the worker with all its processes, likewise."""
        return Spread.of(self.without.cpu), Spread.of(self.metered.cpu)

    @property
    def beside(self) -> float:
        """CPU seconds of the watch meanwhile, the median."""
        return statistics.median(self.metered.beside) if self.metered.beside else 0.0

    @property
    def ratios(self) -> tuple[float, float]:
        """Of seconds, and of CPU seconds."""
        (before, after), (used, metered) = self.seconds, self.cpu
        return _over(after.median, before.median), _over(metered.median, used.median)


def _over(one: float, other: float) -> float:
    """How much the one is of the other; NaN where the other cannot be measured."""
    return one / other if other else math.nan


def main(
    engines: Annotated[list[str] | None, typer.Argument(help="All of them if unset.")] = None,
    width: Annotated[int, typer.Option(min=1, help="Tasks side by side.")] = 400,
    rounds: Annotated[int, typer.Option(min=1, help="Workers of each kind.")] = 6,
    kept: Annotated[Path | None, typer.Option("--json", help="Where figures are kept.")] = None,
) -> None:
    """Measure and print."""
    unknown = sorted(set(engines or ()) - set(ENGINES))
    if unknown:
        typer.echo(f"{unknown[0]}: there are {', '.join(ENGINES)}", err=True)
        raise typer.Exit(2)
    costs = [
        _in_memory(width, rounds) if engine == MEMORY else _measure(engine, width, rounds)
        for engine in engines or ENGINES
    ]
    table = Table("engine", "without, s", "with, s", "ratio", "CPU without", "CPU with", "ratio",
                  "CPU of the watch")  # fmt: skip
    for cost in costs:
        seconds, cpu = cost.ratios
        table.add_row(
            cost.engine, *(f"{one.median:.3f}" for one in cost.seconds), f"{seconds:.3f}",
            *(f"{one.median:.3f}" for one in cost.cpu), f"{cpu:.3f}", f"{cost.beside:.3f}",
        )  # fmt: skip
    Console().print(table)
    if kept is not None:
        before = json.loads(kept.read_text())["costs"] if kept.is_file() else []
        figures = {one["engine"]: one for one in before}
        figures |= {cost.engine: _figures(cost, width, rounds) for cost in costs}
        in_order = [figures[name] for name in ENGINES if name in figures]
        write_whole(kept, json.dumps({"costs": in_order}, indent=1) + "\n")


def _figures(cost: Cost, width: int, rounds: int) -> dict[str, object]:
    return {
        "engine": cost.engine,
        "created": now().isoformat(),
        "environment": environment(),
        "width": width,
        "rounds": rounds,
        "fan_outs": FAN_OUTS,
        "load": os.getloadavg()[2],
        "seconds": [asdict(one) for one in cost.seconds],
        "cpu_seconds": [asdict(one) for one in cost.cpu],
        "watch_cpu_seconds": cost.beside,
        "ratio": cost.ratios[0],
        "cpu_ratio": cost.ratios[1],
    }


def _measure(engine: str, width: int, rounds: int) -> Cost:
    without, metered = Side("without"), Side("with")
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        stack.enter_context(stage.private_database(folder))
        stage.set_environment({"ROLLS_DIR": str(folder / "rolls"), "CONCURRENCY": str(PROCESSES)})
        (server,) = stack.enter_context(servers.start_together(getattr(servers, SERVERS[engine])))
        stage.set_environment(dict(server.environment))
        client = load_client(engine)
        stack.callback(client.close)
        for number in range(rounds):
            for side in (without, metered)[:: 1 if number % 2 == 0 else -1]:
                _round(client, side, folder, width)
    return Cost(engine, without, metered)


def _in_memory(width: int, rounds: int) -> Cost:
    without, metered = Side("without"), Side("with")
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        (folder / "results").mkdir()
        stage.set_environment({"BENCHMARK_RESULTS": f"file://{folder / 'results'}"})
        from benchmarks.noops import app, noops

        app.conf.update(result_backend=f"file://{folder / 'results'}")
        port, stop = free_port(), threading.Event()
        metrics.start(port)
        stack.enter_context(reroute(app, to=MEMORY))
        reader = threading.Thread(target=_read_until, args=(stop, [port]), daemon=True)
        reader.start()
        stack.callback(stop.set)
        counting = list(metrics._meters)  # noqa: SLF001 - the switch is not for users
        for number in range(-1, rounds * FAN_OUTS):
            for side in (without, metered)[:: 1 if number % 2 == 0 else -1]:
                metrics._meters[:] = counting if side is metered else []  # noqa: SLF001 - likewise
                before = cpu_seconds([os.getpid()])
                begun = time.perf_counter()
                counted = noops(width).apply_async().get(timeout=WITHIN, interval=0.002)
                if counted != width:
                    raise SystemExit(f"{counted}: the measurement is worth nothing")
                if number >= 0:  # the first one of each is to get warm
                    side.seconds.append(time.perf_counter() - begun)
                    side.cpu.append(cpu_seconds([os.getpid()]) - before)
    return Cost(MEMORY, without, metered)


def _read_until(stop: threading.Event, ports: list[int]) -> None:
    while not stop.wait(READ_EVERY):
        for port in ports:
            try:
                with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    answer.read()
            except (URLError, OSError):
                continue


def _round(client: EngineClient, side: Side, folder: Path, width: int) -> None:
    with ExitStack() as stack:
        port = free_port()
        metered = side.name == "with"
        stage.set_environment({"METRICS_PORT": str(port) if metered else ""})
        worker = stage.Worker.start(client.name, client.worker_command(PROCESSES), folder)
        stack.callback(worker.stop)
        watch = stack.enter_context(_watched(client.name, port)) if metered else None
        client.wait_for_worker(WITHIN)
        _fan_out(client, width)
        for _ in range(FAN_OUTS):
            before = cpu_seconds([watch]) if watch else 0.0
            with Meter({"worker": [worker.process.pid]}) as meter:
                begun = time.perf_counter()
                _fan_out(client, width)
                side.seconds.append(time.perf_counter() - begun)
            side.cpu.append(meter.usage("worker").cpu_seconds or 0.0)
            side.beside.append((cpu_seconds([watch]) if watch else 0.0) - before)


def _fan_out(client: EngineClient, width: int) -> None:
    execution = client.start(f"noop:{width}", f"cost-{time.monotonic_ns()}")
    outcome = client.wait(execution, WITHIN)
    if outcome.total_pages != width:
        raise SystemExit(f"{outcome} instead of {width}: the measurement is worth nothing")


@contextmanager
def _watched(engine: str, port: int) -> Iterator[int]:
    """A watch, and a reader of its port and the worker's; yields the watch's process id."""
    own, stop = free_port(), threading.Event()
    command = [sys.executable, "-m", f"{engine}_impl", "watch", "--port", str(own)]
    watch = subprocess.Popen(
        leashed(command), cwd=stage.ROOT, stdout=subprocess.DEVNULL, start_new_session=True
    )

    reader = threading.Thread(target=_read_until, args=(stop, [own, port]), daemon=True)
    reader.start()
    try:
        yield watch.pid
    finally:
        stop.set()
        reader.join()
        stop_process_group(watch)


if __name__ == "__main__":
    typer.run(main)
