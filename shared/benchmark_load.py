"""How long a roll book takes to load, and how much memory: `python -m shared.benchmark_load`.

Each load runs in a process of its own, whose peak memory is read when it has ended. The target is
DATABASE_URL, or a temporary SQLite file; its tables are emptied, so the tables of a database that
already has voters are refused.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import typer

from shared import roll_book
from shared.cli import application, run
from shared.database import create_tables, transaction
from shared.errors import UsageError
from shared.fake import fake_roll_book
from shared.settings import masked, settings

app = application("Measure how long a roll book takes to load, and how much memory.")


def _import_modules(_voters: int, _csv: Path) -> None:
    """Nothing but what every load needs first; the others are to be compared with this."""


def _fill(voters: int, _csv: Path) -> None:
    with transaction() as session:
        roll_book.fill(session, fake_roll_book(voters))


def _write_csv(voters: int, csv: Path) -> None:
    roll_book.export_csv(csv, fake_roll_book(voters).rows())


def _import_csv(_voters: int, csv: Path) -> None:
    roll_book.import_csv(csv)


def _clear(_voters: int, _csv: Path) -> None:
    with transaction() as session:
        roll_book.clear(session)


_LOADS: dict[str, Callable[[int, Path], None]] = {
    "nothing": _import_modules,
    "fake voters": _fill,
    "clear": _clear,
    "write CSV": _write_csv,
    "import CSV": _import_csv,
    "import again": _import_csv,
    "clear again": _clear,
}


def _measured(load: str, voters: int, csv: Path, answer: Connection) -> None:
    began = time.perf_counter()
    try:
        _LOADS[load](voters, csv)
    except UsageError as error:  # for example an import before anything was written
        answer.send(str(error))
        return
    answer.send((time.perf_counter() - began, _peak_memory()))


def _peak_memory() -> int:
    """Bytes. On Linux from the kernel's own line: `ru_maxrss` there counts the parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1_024
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@app.command()
def benchmark(
    voters: Annotated[int, typer.Option(min=1, help="How many voters to load.")] = 1_000_000,
    load: Annotated[
        list[str] | None, typer.Option(help=f"Only this, repeatable: {', '.join(_LOADS)}.")
    ] = None,
) -> None:
    """Load invented voters directly and from a CSV file; print seconds and peak memory."""
    for name in load or []:
        if name not in _LOADS:
            raise UsageError(f"--load {name!r}: use {', '.join(_LOADS)}")
    with tempfile.TemporaryDirectory(prefix="benchmark-load-") as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/voters.db")
        settings.cache_clear()
        address = masked(settings().required("database_url"))
        create_tables()
        with transaction(read_only=True) as session:
            if there := roll_book.voters(session):
                raise UsageError(f"DATABASE_URL={address} has {there:,} voters: use an empty one")
        typer.echo(f"{voters:,} voters, {address}\n")
        typer.echo(f"{'':<14}{'seconds':>10}{'voters a second':>18}{'peak memory':>14}")
        spawn = multiprocessing.get_context("spawn")
        for name in load or _LOADS:
            receiver, sender = spawn.Pipe(duplex=False)
            arguments = (name, voters, Path(folder) / "voters.csv", sender)
            process = spawn.Process(target=_measured, args=arguments)
            process.start()
            sender.close()
            try:
                result = receiver.recv()
            except EOFError:
                raise UsageError(f"{name}: the process ended without an answer") from None
            finally:
                process.join()
            if isinstance(result, str):
                raise UsageError(f"{name}: {result}")
            seconds, peak = result
            rate = f"{voters / seconds:,.0f}" if name != "nothing" else ""
            typer.echo(f"{name:<14}{seconds:>10.2f}{rate:>18}{peak / 2**20:>11,.0f} MiB")


if __name__ == "__main__":
    run(app, "python -m shared.benchmark_load")
