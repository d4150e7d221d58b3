"""One wide fan-out on 1, 2, 4 and 8 workers of four slots each: how time falls with workers.

    python -m benchmarks.scale_out
    python -m benchmarks.scale_out --on temporal --on celery --workers 1 --workers 2 --rounds 1
    python -m benchmarks.scale_out --on prefect --on prefect-port --seconds 2 --members 320

It is a chord of tasks that sleep 100 ms: on Celery, rerouted by the kit to Temporal and Prefect
(each member for itself, and with `batch="auto"`), and as the hand-written ports of the reference
have it (`nap:N` of `temporal_impl` and `prefect_impl`). They sleep, so that one machine can stand
for eight: what is measured is whether all workers have something to do, and what hands the work
out, not CPU. All workers of an engine, and all engines, are on this machine; that eight machines do
as well is an extrapolation. Prefect's workers share the canvas in slices (`spread=` of the kit,
`SPREAD` of the port), and ask for work every `--poll` seconds. Each time costs the server
CPU, whether or not there is any.

Seconds are from the call to the value in the caller's hands, on workers that have worked before.
`of linear` is the time on one worker, divided by the number of workers, divided by the time on so
many: 1 is a time that falls in proportion. Rounds take turns between the engines.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.fanout import WITHIN, told
from benchmarks.keeping import keep as keep_rows
from comparisons import stage
from comparisons.compare import load_client
from comparisons.measure import QUIET_SHARE
from offcanvas import servers
from offcanvas._reroute import reroute
from offcanvas.meter import wait_until_quiet

Run: TypeAlias = Callable[[int], int | None]
"""Runs so many members, and returns how many were counted."""

SLOTS = 4
_PORT, _BATCH = "-port", "-batch"


class Side(StrEnum):
    """Who runs it."""

    CELERY = "celery"
    TEMPORAL = "temporal"
    TEMPORAL_BATCH = "temporal-batch"
    TEMPORAL_PORT = "temporal-port"
    PREFECT = "prefect"
    PREFECT_BATCH = "prefect-batch"
    PREFECT_PORT = "prefect-port"

    @property
    def engine(self) -> str:
        """What it runs on."""
        return self.removesuffix(_PORT).removesuffix(_BATCH)

    @property
    def is_port(self) -> bool:
        """Whether it was written by hand for the engine."""
        return self.endswith(_PORT)

    @property
    def is_batched(self) -> bool:
        """Whether members share activities or task runs."""
        return self.endswith(_BATCH)


def main(
    on: Annotated[list[Side] | None, typer.Option(help="Engines; all unless given.")] = None,
    workers: Annotated[list[int] | None, typer.Option(min=1, help="How many.")] = None,
    members: Annotated[int, typer.Option(min=1, help="Width of the chord.")] = 640,
    naps: Annotated[
        float, typer.Option("--seconds", min=0.001, max=60, help="How long each sleeps.")
    ] = 0.1,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 3,
    poll: Annotated[
        float, typer.Option(min=0.1, max=60, help="How often Prefect's workers ask for work.")
    ] = 0.5,
    keep: Annotated[Path | None, typer.Option(help="Write the figures there, as JSON.")] = None,
) -> None:
    """Measure and print."""
    sides, counts = on or list(Side), sorted(set(workers or [1, 2, 4, 8]))
    seconds: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        engines = dict.fromkeys(side.engine for side in sides if side is not Side.CELERY)
        starters = [lambda: servers.redis(tcp=True), *(getattr(servers, one) for one in engines)]
        running = stack.enter_context(servers.start_together(*starters))
        stage.set_environment({"FAN_REDIS": running[0].url})
        stack.enter_context(stage.private_database(folder))
        given = {"NAP_SECONDS": str(naps), "PREFECT_WORKER_QUERY_SECONDS": str(poll)}
        stage.set_environment({"ROLLS_DIR": str(folder / "rolls"), **given})
        for server in running[1:]:
            stage.set_environment(dict(server.environment))
        pids = [server.pid for server in running]
        for count in counts:
            for number in range(rounds):
                for side in sides[:: 1 if number % 2 == 0 else -1]:
                    took = _run(side, count, members, naps, folder, pids)
                    seconds.setdefault((side, count), []).append(took)
                    typer.echo(f"{side}, workers: {count}: {took:.2f} s", err=True)
            # After each count: all of it takes the better part of an hour.
            if keep is not None:
                keep_rows(keep, _rows(seconds, members, naps, poll))
    _report(sides, counts, seconds, f"{members} tasks that sleep {naps:g} s")


def _rows(
    seconds: dict[tuple[str, int], list[float]], members: int, naps: float, poll: float
) -> list[dict[str, Any]]:
    given = {"members": members, "naps": naps, "poll": poll}
    return [
        {"on": str(side), "workers": count, **given, "seconds": taken}
        for (side, count), taken in seconds.items()
    ]


def _run(side: Side, count: int, members: int, naps: float, folder: Path, pids: list[int]) -> float:
    with ExitStack() as stack:
        workers = [stage.Worker.start(f"{side}-{n}", _command(side), folder) for n in range(count)]
        for worker in workers:
            stack.callback(worker.stop)
        # As many slices as keep all workers at work, and the last of them short.
        size = max(SLOTS, members // (4 * count))
        ready = _port(side, size, workers) if side.is_port else _canvas(side, size, naps, workers)
        run = stack.enter_context(ready)
        run(min(members, 20 * SLOTS * count))  # all slots of all workers, on each engine
        wait_until_quiet(
            [*pids, *(one.process.pid for one in workers)], share=QUIET_SHARE, limit=20.0
        )
        begun = time.perf_counter()
        answer = run(members)
        took = time.perf_counter() - begun
        if answer != members:
            raise SystemExit(f"{side} counted {answer} of {members}: this measures nothing")
        return took


@contextmanager
def _canvas(side: Side, size: int, naps: float, workers: list[stage.Worker]) -> Iterator[Run]:
    """On Celery, or rerouted; its workers are ready."""
    from benchmarks import fan_app

    for worker in workers:
        while _ready(side) not in worker.log.read_bytes():
            worker.check()
            time.sleep(0.1)
    with ExitStack() as stack:
        if side is not Side.CELERY:
            extra: dict[str, Any] = {"spread": size} if side.engine == Side.PREFECT else {}
            if side.is_batched:
                extra["batch"] = "auto"
            stack.enter_context(reroute(fan_app.app, to=side.engine, **extra))
        fan_app.nap.delay(0, 0).get(timeout=WITHIN)
        yield lambda members: fan_app.naps(members, naps).apply_async().get(timeout=WITHIN)


@contextmanager
def _port(side: Side, size: int, workers: list[stage.Worker]) -> Iterator[Run]:
    """The hand-written port; its workers are ready."""
    stage.set_environment({"SPREAD": str(size)})
    client = load_client(side.engine)
    try:
        client.wait_for_worker(WITHIN)
        while len(client.health().workers) < len(workers):
            for worker in workers:
                worker.check()
            time.sleep(0.1)

        def run(members: int) -> int | None:
            execution = client.start(f"nap:{members}", f"{side}-{time.monotonic_ns()}")
            return client.wait(execution, WITHIN).total_pages

        yield run
    finally:
        client.close()


def _command(side: Side) -> list[str]:
    if side.is_port:
        client = load_client(side.engine)
        try:
            return client.worker_command(SLOTS)
        finally:
            client.close()
    if side is Side.CELERY:
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.fan_app", "worker"]
        # One message a slot, as for tasks that are not short.
        return [*command, "-c", str(SLOTS), "--prefetch-multiplier", "1", "-l", "INFO"]
    module = f"offcanvas.engines.{side.engine}"
    return [sys.executable, "-m", module, "benchmarks.fan_app:app", "--processes", str(SLOTS)]


def _ready(side: Side) -> bytes:
    return b" ready." if side is Side.CELERY else b": at work "


def _report(
    sides: list[Side],
    counts: list[int],
    seconds: dict[tuple[str, int], list[float]],
    work: str,
) -> None:
    table = Table("workers", "on", "s", "of linear")
    first = counts[0]
    for count in counts:
        for side in sides:
            here, alone = seconds[side, count], statistics.median(seconds[side, first])
            linear = alone * first / count / statistics.median(here)
            table.add_row(str(count), str(side), told(here), f"{linear:.2f}")
    console = Console()
    console.print(f"A chord of {work}, {SLOTS} slots a worker")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
