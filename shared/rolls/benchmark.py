"""Measure how many pages of rolls one process writes in a second.

    python -m shared.rolls.benchmark

Each run writes the same stations of 500 voters for every script, one script after the other, so
that a busy machine slows all of them alike; on such a machine the figure by CPU time is the one
that tells what one core can do. A first, uncounted run loads fonts and warms caches.
Names come from Faker with a fixed seed and hardly repeat.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from faker import Faker
from rich.console import Console
from rich.table import Table

from shared.rolls import Roll, RollEntry, write_roll

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

VOTERS_PER_STATION = 500
LOCALES = {
    "Latin": ("en_US", "en_GB", "es_ES", "fr_FR", "de_DE"),
    "European scripts": ("pl_PL", "cs_CZ", "el_GR", "uk_UA", "bg_BG"),
    # Faker has no Arabic names for ar_EG or ar_AE: it gives English ones.
    "Arabic": ("ar_SA", "ar_PS", "ar_AA"),
}
_MATPLOTLIB = "Latin, matplotlib"


@dataclass(frozen=True, slots=True)
class Rate:
    """Pages a second of one run, by the clock and by the processor time of this process."""

    wall: float
    cpu: float


def stations(locales: Sequence[str], count: int, seed: int) -> list[Roll]:
    """Make rolls of fake voters from these locales in turn."""
    fakers = [Faker(locale) for locale in locales]
    for faker in fakers:
        faker.seed_instance(seed)
    rolls = []
    for station in range(1, count + 1):
        names = sorted(fakers[n % len(fakers)].name() for n in range(VOTERS_PER_STATION))
        entries = [RollEntry(f"{station:04d}{n:06d}", name) for n, name in enumerate(names)]
        rolls.append(Roll("0042", fakers[0].company(), f"0042-{station}", entries))
    return rolls


def measure(write: Callable[[], int]) -> Rate:
    """Time a function that returns how many pages it has written."""
    wall, cpu = time.perf_counter(), time.process_time()
    pages = write()
    return Rate(pages / (time.perf_counter() - wall), pages / (time.process_time() - cpu))


def _write_all(rolls: Sequence[Roll], folder: Path) -> int:
    return sum(write_roll(roll, folder / f"{roll.station_id}.pdf").pages for roll in rolls)


@app.command()
def run(
    runs: Annotated[int, typer.Option(min=1, help="Counted runs.")] = 9,
    station_count: Annotated[
        int, typer.Option("--stations", min=1, help="Stations of 500 voters in each run.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the fake names.")] = 2026,
) -> None:
    """Print pages a second for each script: median, least and most of several runs."""
    console = Console()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rolls = {name: stations(of, station_count, seed) for name, of in LOCALES.items()}
        writers: dict[str, Callable[[], int]] = {
            name: lambda of=of: _write_all(of, folder)  # type: ignore[misc]  # bound at once
            for name, of in rolls.items()
        }
        if find_spec("matplotlib"):
            from shared.rolls.matplotlib_way import write_pages

            page_of_names = rolls["Latin"][0].entries[:40]
            writers[_MATPLOTLIB] = lambda: write_pages(page_of_names, 2, folder / "other.pdf")
        for write in writers.values():
            write()
        rates: dict[str, list[Rate]] = {name: [] for name in writers}
        with console.status("") as status:
            for number in range(1, runs + 1):
                for name, write in writers.items():
                    status.update(f"run {number} of {runs}: {name}")
                    rates[name].append(measure(write))
    console.print(_table(rates))
    pages = -(-VOTERS_PER_STATION // 40) * station_count
    console.print(f"{runs} interleaved runs of {station_count} stations ({pages} pages) each.")
    if _MATPLOTLIB in rates:
        ratio = median(
            ours.cpu / theirs.cpu
            for ours, theirs in zip(rates["Latin"], rates[_MATPLOTLIB], strict=True)
        )
        console.print(f"Latin: {ratio:,.0f} times as many pages per CPU second as matplotlib.")
    else:
        console.print("No comparison with matplotlib: it is not installed, and no dependency.")


def _table(rates: dict[str, list[Rate]]) -> Table:
    table = Table(title="Pages a second, one process")
    table.add_column("Names")
    table.add_column("By")
    for column in ("median", "min", "max"):
        table.add_column(column, justify="right")
    for name, of in rates.items():
        for by, values in (
            ("the clock", [rate.wall for rate in of]),
            ("CPU time", [rate.cpu for rate in of]),
        ):
            figures = (median(values), min(values), max(values))
            table.add_row(name, by, *(f"{figure:,.0f}" for figure in figures))
    return table


if __name__ == "__main__":
    app()
