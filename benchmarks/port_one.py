"""How long `offcanvas port` takes for one builder, from the command's start to its end.

    python -m benchmarks.port_one
    python -m benchmarks.port_one --times 9

The builder is `shop.tasks:nightly` of the tests' example, with a sample, in a fresh folder each
time; the engines take turns. Shown are seconds of the processor, those of the processes that the
command starts included (which say more than the clock on a machine that does other things), and
seconds by the clock.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import typer

SHOP: Final = Path(__file__).resolve().parents[1] / "tests/port/examples/shop"
ENGINES: Final = ("temporal", "prefect")


def main(
    times: Annotated[int, typer.Option("--times", min=1, help="How often for each engine.")] = 5,
) -> None:
    """Port one builder, several times to each engine."""
    runs: dict[str, list[tuple[float, float]]] = {engine: [] for engine in ENGINES}
    for _ in range(times):
        for engine, found in runs.items():
            found.append(once(engine))
    typer.echo("| to | processor: median | least | most | clock: median |\n|---|---|---|---|---|")
    for engine, found in runs.items():
        used = [one for one, _ in found]
        clock = statistics.median(one for _, one in found)
        figures = (statistics.median(used), min(used), max(used), clock)
        typer.echo(f"| {engine} | {' | '.join(f'{one:.2f} s' for one in figures)} |")


def once(engine: str) -> tuple[float, float]:
    """Seconds of the processor and by the clock of one port."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(SHOP, Path(name) / "shop")
        before, begin = _used(), time.perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from offcanvas.cli import main; main()", "port"),
                *("shop.tasks:nightly", "--to", engine, "--sample", '{"day": "monday"}'),
            ],
            cwd=name, check=False, capture_output=True, text=True,
        )  # fmt: skip
        seconds, used = time.perf_counter() - begin, _used() - before
        if done.returncode != 1:  # something is to be decided
            raise RuntimeError(done.stderr)
        return used, seconds


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    typer.run(main)
