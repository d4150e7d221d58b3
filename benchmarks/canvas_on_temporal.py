"""Fan-outs of no-ops on Temporal: how time and memory grow with the width, and beside the port.

    python -m benchmarks.canvas_on_temporal
    python -m benchmarks.canvas_on_temporal --width 100 --width 1000 --rounds 3

A chord of tasks that do nothing runs through the kit, results stored in a folder, next to the
hand-written workflow of `temporal_impl` that does the same without storing anything. Both have a
worker of two processes on the same private dev server; runs are interleaved. Shown are medians,
least and most, time for each task as a ratio to the narrowest width, the ratio of kit to port, and
the worker's highest memory so far (proportional set size of its processes, summed).
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from offcanvas.servers import temporal

QUEUE = "noops"


def main(
    width: Annotated[list[int] | None, typer.Option(min=1, help="Tasks side by side.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each width.")] = 3,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each worker.")] = 2,
) -> None:
    """Measure and print."""
    widths = width or [100, 1_000, 10_000]
    with tempfile.TemporaryDirectory(prefix="offcanvas-bench-") as results, temporal() as server:
        os.environ["NOOPS_RESULTS"] = f"file://{results}"
        os.environ["TEMPORAL_ADDRESS"] = server.url
        ours = [sys.executable, "-m", "benchmarks.noops", server.url, QUEUE, str(processes)]
        port = [sys.executable, "-m", "temporal_impl", "worker", "--concurrency", str(processes)]
        with _running(ours, Path(results)) as worker, _running(port, Path(results)):
            asyncio.run(_measure(server.url, widths, rounds, worker))


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[psutil.Process]:
    environment = {"ROLLS_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/none.db"}
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def _measure(address: str, widths: list[int], rounds: int, worker: psutil.Process) -> None:
    from offcanvas.engines.temporal.client import connect

    client = await connect(address)
    await _through_the_kit(client, 2)
    await _by_hand(client, 2)
    table = Table("width", "kit, s", "port, s", "for each task", "kit : port", "memory, MB")
    first = highest = 0.0
    for width in widths:
        kit: list[float] = []
        port: list[float] = []
        for _ in range(rounds):
            kit.append(await _timed(_through_the_kit(client, width)))
            highest = max(highest, _memory(worker))
            port.append(await _timed(_by_hand(client, width)))
        each = statistics.median(kit) / width
        first = first or each
        table.add_row(
            f"{width:,}",
            _spread(kit),
            _spread(port),
            f"{each / first:.2f}",
            f"{statistics.median(kit) / statistics.median(port):.2f}",
            f"{highest / 1e6:.0f}",
        )
    Console().print(table)


async def _through_the_kit(client: Any, width: int) -> None:
    from celery import chord

    from benchmarks.noops import app, count, nothing
    from offcanvas.engines.prepare import prepare
    from offcanvas.engines.temporal.client import finish, start_canvas

    canvas = chord([nothing.si(index) for index in range(width)], count.s())
    prepared = prepare(app, canvas)
    assert prepared.plan is not None  # noqa: S101  # a chord has one
    await finish(client, await start_canvas(client, app, prepared.plan, task_queue=QUEUE))
    _check(prepared.result.get(timeout=10), width)


async def _by_hand(client: Any, width: int) -> None:
    from temporal_impl.options import TASK_QUEUE
    from temporal_impl.workloads import Noop, Workload

    name = f"noop-{width}-{time.monotonic_ns()}"
    counted = await client.execute_workflow(
        Noop.run, Workload(width), id=name, task_queue=TASK_QUEUE
    )
    _check(counted, width)


def _check(counted: int, width: int) -> None:
    if counted != width:
        raise SystemExit(f"counted {counted} of {width}: the measurement is worth nothing")


async def _timed(run: Any) -> float:
    begun = time.perf_counter()
    await run
    return time.perf_counter() - begun


def _memory(worker: psutil.Process) -> float:
    total = 0.0
    for process in [worker, *worker.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def _spread(seconds: list[float]) -> str:
    middle = statistics.median(seconds)
    return f"{middle:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    typer.run(main)
