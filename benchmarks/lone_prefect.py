"""What a task sent alone costs on Prefect, by every way there is, beside Celery.

    python -m benchmarks.lone_prefect
    python -m benchmarks.lone_prefect --count 100 --rounds 1

Rerouted by the kit: a flow run each (`lone=None`), bursts, and bursts in batches (`lone="auto"`).
And what Prefect has by itself: background tasks (`task.delay` with a served task), and a standing
flow run that takes numbers in as its input and runs a task for each. Those two only run a task of
Prefect's and leave a number in Redis: they have none of Celery's meaning, so that the kit could
only be slower by these ways. All use the same Redis and the same Prefect server, in turns, after
everything has become quiet. Seconds are from the first call to the last answer in the caller's
hands; a ratio is that of medians.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.fanout import WITHIN, Engine, Stand, alone, stand, told
from benchmarks.keeping import keep as keep_rows
from comparisons import stage
from comparisons.measure import QUIET_SHARE
from offcanvas._reroute import reroute
from offcanvas.meter import wait_until_quiet

#: What `reroute` is given for each way of the kit.
KIT: dict[str, dict[str, str]] = {
    "kit, a flow run each": {},
    "kit, bursts": {"lone": "burst"},
    "kit, bursts in batches": {"lone": "auto"},
}


def main(
    count: Annotated[int, typer.Option(min=1, help="Tasks sent alone.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 3,
    keep: Annotated[Path | None, typer.Option(help="Write the figures there, as JSON.")] = None,
) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        folder = stack.enter_context(stage.private_folder())
        # Prefect tells of each background task that is sent.
        stage.set_environment({"PREFECT_LOGGING_LEVEL": "WARNING"})
        running = stack.enter_context(stand(Engine.PREFECT, folder))
        ways: dict[str, Callable[[], float]] = {"Celery": partial(_rerouted, None, count)}
        ways |= {name: partial(_rerouted, options, count) for name, options in KIT.items()}
        for name in ("background", "standing"):
            ways[f"Prefect's own, {name}"] = stack.enter_context(_own(name, running, folder, count))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, work in ways.items():
                wait_until_quiet(running.pids, share=QUIET_SHARE)
                seconds[name].append(work())
    beside = statistics.median(seconds["Celery"])
    table = Table("way", "seconds", "ratio to Celery")
    for name, taken in seconds.items():
        table.add_row(name, told(taken), f"{statistics.median(taken) / beside:.1f}")
    Console().print(table)
    if keep is not None:
        rows = [{"way": name, "count": count, "seconds": one} for name, one in seconds.items()]
        keep_rows(keep, rows)


def _rerouted(options: dict[str, str] | None, count: int) -> float:
    """Seconds for so many tasks on Celery, or rerouted with these options."""
    from benchmarks import fan_app

    def send() -> float:
        fan_app.noop.delay(0).get(timeout=WITHIN)
        begun = time.perf_counter()
        alone(fan_app, count)
        return time.perf_counter() - begun

    if options is None:
        return send()
    target: dict[str, Any] = {"to": "prefect", **options}
    with reroute(fan_app.app, **target):
        return send()


@contextmanager
def _own(name: str, running: Stand, folder: Path, count: int) -> Iterator[Callable[[], float]]:
    """A program that takes tasks in by Prefect's own means, and what sends it so many."""
    command = [sys.executable, "-m", "benchmarks.prefect_alone", name]
    worker = stage.Worker.start(name, command, folder)
    running.pids.append(worker.process.pid)
    try:
        from prefect.input.run_input import send_input

        from benchmarks import prefect_alone

        if name == "background":
            _line(worker, "serving")
            yield partial(_answered, prefect_alone.noop.delay, count)
        else:
            taker = UUID(_line(worker, "flow run "))
            yield partial(_answered, lambda number: send_input(number, taker), count)
    finally:
        worker.stop()


def _line(worker: stage.Worker, begin: str) -> str:
    """What follows these words in the program's output, once it is there."""
    while True:
        for line in worker.log.read_text(errors="replace").splitlines():
            if line.startswith(begin):
                return line.removeprefix(begin)
        worker.check()
        time.sleep(0.1)


def _answered(send: Callable[[int], object], count: int) -> float:
    """Seconds from the first call to the last answer."""
    from benchmarks.prefect_alone import ANSWERS, store

    send(-1)
    while not store.hexists(ANSWERS, "-1"):
        time.sleep(0.01)
    store.delete(ANSWERS)
    begun = time.perf_counter()
    for number in range(count):
        send(number)
    while store.hlen(ANSWERS) < count:
        time.sleep(0.01)
    return time.perf_counter() - begun


if __name__ == "__main__":
    typer.run(main)
