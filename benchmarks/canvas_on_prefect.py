"""Fan-outs of no-ops on Prefect: how time and memory grow with the width, and beside the port.

    python -m benchmarks.canvas_on_prefect
    python -m benchmarks.canvas_on_prefect --width 100 --width 1000 --rounds 3

A chord of tasks that do nothing runs through the kit, results stored in a folder, next to the
hand-written flow of `prefect_impl` that does the same without storing anything. Both have a worker
of two processes on the same private server, which is given the time to catch up with its events
between two runs; runs are interleaved. Shown are medians, least and most, time for each task as a
ratio to the narrowest width, the ratio of kit to port, and the worker's highest memory so far
(proportional set size of its processes, summed).
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from offcanvas.servers import prefect

WITHIN = 1_800.0  # seconds; a limit for what never comes, not an expectation


def main(
    width: Annotated[list[int] | None, typer.Option(min=1, help="Tasks side by side.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each width.")] = 3,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each worker.")] = 2,
) -> None:
    """Measure and print."""
    widths = width or [100, 1_000, 10_000]
    with tempfile.TemporaryDirectory(prefix="offcanvas-bench-") as folder, prefect() as server:
        results = Path(folder) / "results"
        results.mkdir()
        # Read by Celery, Prefect and the port, all of which are imported after this.
        os.environ.update(
            NOOPS_RESULTS=f"file://{results}",
            PREFECT_API_URL=server.url,
            PREFECT_WORKER_QUERY_SECONDS="0.1",
            ROLLS_DIR=folder,
            DATABASE_URL=f"sqlite:///{folder}/none.db",
        )
        port = [sys.executable, "-m", "prefect_impl", "worker", "--concurrency", str(processes)]
        with _running(port):
            _measure(widths, rounds, processes)


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _measure(widths: list[int], rounds: int, processes: int) -> None:
    from benchmarks.noops import app
    from offcanvas.engines.prefect.run import deployment
    from prefect_impl.client import Client

    by_hand = Client()
    with deployment(app, processes=processes) as calls:
        by_hand.wait_for_worker(120)
        _through_the_kit(calls, 2)
        table = Table("width", "kit, s", "port, s", "for each task", "kit : port", "memory, MB")
        first = highest = 0.0
        for width in widths:
            kit: list[float] = []
            port: list[float] = []
            for _ in range(rounds):
                by_hand.drained(WITHIN)
                kit.append(_timed(_through_the_kit, calls, width))
                highest = max(highest, _memory(f"--deployment {calls.deployment}"))
                by_hand.drained(WITHIN)
                port.append(_timed(_by_hand, calls, width))
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


def _through_the_kit(calls: Any, width: int) -> None:
    from celery import chord

    from benchmarks.noops import app, count, nothing
    from offcanvas.engines.prepare import prepare

    canvas = chord([nothing.si(index) for index in range(width)], count.s())
    prepared = prepare(app, canvas)
    assert prepared.plan is not None  # noqa: S101  # a chord has one
    calls.finish(calls.start(app, prepared.plan), WITHIN)
    _check(prepared.result.get(timeout=10), width)


def _by_hand(calls: Any, width: int) -> None:
    from prefect_impl.deployments import deployment_id
    from prefect_impl.outcome import outcome_of

    name = f"noop-{width}-{time.monotonic_ns()}"
    run = calls.client.create_flow_run_from_deployment(
        deployment_id(calls.client, "noop"), parameters={"run_id": name, "count": width}, name=name
    )
    calls.finish(run.id, WITHIN)
    state = calls.client.read_flow_run(run.id).state
    _check(outcome_of(state).total_pages if state else None, width)


def _check(counted: int | None, width: int) -> None:
    if counted != width:
        raise SystemExit(f"counted {counted} of {width}: the measurement is worth nothing")


def _timed(run: Callable[[Any, int], None], calls: Any, width: int) -> float:
    begun = time.perf_counter()
    run(calls, width)
    return time.perf_counter() - begun


def _memory(mark: str) -> float:
    """Of the worker that has ``mark`` in its command line, and its processes."""
    total = 0.0
    for worker in psutil.Process().children():
        if mark not in " ".join(worker.cmdline()):
            continue
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
