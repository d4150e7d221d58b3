"""How fast `offcanvas audit` reads a code base, cold and warm, beside pylint with no plug-in.

    python -m benchmarks.audit PATH
    python -m benchmarks.audit --generate 500000

Runs are interleaved, each in a process of its own; shown are median, least and most, the median of
the processor time of the process and its workers, which says more than the clock on a machine that
does other things, and the ratios of the medians. Memory is the proportional set size of the
process and its workers, summed, at its highest. pylint is used when it is installed beside this
Python, or named:

    python -m venv /tmp/pylint && /tmp/pylint/bin/pip install pylint
    python -m benchmarks.audit PATH --pylint /tmp/pylint/bin/pylint

pylint runs without its check for duplicate code, whose time grows with the square of the lines that
are alike: on a generated tree it would not end, and no rule of the audit does anything like it.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import psutil
import typer

from benchmarks.audit_tree import generate

Run: TypeAlias = tuple[float, float, int]
"""Seconds by the clock, seconds of the processor, and highest memory in bytes."""


@dataclass
class Series:
    """Runs of one kind: seconds, and the highest memory of each in bytes."""

    name: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def effort(self) -> float:
        """Seconds of processor time."""
        return statistics.median(self.processor)


def main(
    path: Annotated[Path | None, typer.Argument(help="A tree to read.")] = None,
    lines: Annotated[
        int, typer.Option("--generate", help="Make a tree of about so many lines instead.")
    ] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each kind.")] = 3,
    pylint: Annotated[
        str | None, typer.Option(help="The pylint to compare with; the one beside Python if any.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes of either tool.")] = 2,
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="offcanvas-bench-") as scratch:
        if path is None:
            path = Path(scratch) / "tree"
            generate(path, lines or 50_000)
        elif not path.is_dir():
            typer.echo(f"{path} is not a folder", err=True)
            raise typer.Exit(2)
        cache = Path(scratch) / "cache"
        kinds = {
            "audit, cold": lambda: _audit(path, cache, jobs, cold=True),
            "audit, warm": lambda: _audit(path, cache, jobs, cold=False),
        }
        linter = pylint or _beside("pylint")
        if linter is not None:
            kinds["pylint"] = lambda: _pylint(linter, path, jobs)
        else:
            typer.echo("pylint is not installed: no ratio", err=True)
        _print(path, measure(kinds, rounds), _counts(path, cache, jobs))


def measure(kinds: dict[str, Callable[[], Run]], rounds: int) -> list[Series]:
    """Run the kinds in turn, `rounds` times."""
    series = [Series(name) for name in kinds]
    for _ in range(rounds):
        for one in series:
            seconds, processor, memory = kinds[one.name]()
            one.seconds.append(seconds)
            one.processor.append(processor)
            one.memory.append(memory)
    return series


def _audit(path: Path, cache: Path, jobs: int, *, cold: bool) -> Run:
    if cold:
        shutil.rmtree(cache, ignore_errors=True)
    command = [str(_beside("offcanvas")), "audit", str(path), "--include-tests", "--severity"]
    return _run([*command, "porting", "--jobs", str(jobs)], {"OFFCANVAS_CACHE_DIR": str(cache)})


def _pylint(program: str, path: Path, jobs: int) -> Run:
    options = ["--rcfile", os.devnull, "--disable", "duplicate-code", "--recursive=y"]
    return _run([program, *options, "-j", str(jobs), str(path)], {})


def _run(command: list[str], extra: dict[str, str]) -> Run:
    """Seconds by the clock and of the processor, and highest memory of a command's processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = psutil.Popen(
        command,
        env={**os.environ, **extra},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    highest = 0
    while process.poll() is None:
        highest = max(highest, _memory(process))
        time.sleep(0.05)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    effort = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, effort, highest


def _memory(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            info = one.memory_full_info()
            total += getattr(info, "pss", 0) or info.rss
    except psutil.Error:
        return 0  # it ended while we looked
    return total


def _beside(program: str) -> str | None:
    return shutil.which(program, path=str(Path(sys.executable).parent))


def _counts(path: Path, cache: Path, jobs: int) -> tuple[int, int]:
    """(files, lines) that the audit reads."""
    command = [str(_beside("offcanvas")), "audit", str(path), "--include-tests", "--severity"]
    done = subprocess.run(
        [*command, "porting", "--jobs", str(jobs), "--format", "json"],
        env={**os.environ, "OFFCANVAS_CACHE_DIR": str(cache)},
        capture_output=True,
        check=False,
    )
    said = json.loads(done.stdout)
    return said["files"], said["lines"]


def _print(path: Path, series: list[Series], counts: tuple[int, int]) -> None:
    files, lines = counts
    typer.echo(f"{path}: {files:,} files, {lines:,} lines, {os.cpu_count()} cores")
    typer.echo(
        f"{'':14}{'median':>9}{'least':>9}{'most':>9}{'processor':>11}{'memory':>10}{'lines/s':>12}"
    )
    for one in series:
        typer.echo(
            f"{one.name:14}{one.median:8.2f}s{min(one.seconds):8.2f}s{max(one.seconds):8.2f}s"
            f"{one.effort:10.2f}s{max(one.memory) / 1e6:7.0f} MB{lines / one.median:12,.0f}"
        )
    base = series[0]
    for one in series[1:]:
        typer.echo(
            f"{base.name} is {one.median / base.median:.2f} times as fast as {one.name}, "
            f"which takes {one.effort / base.effort:.2f} times its processor time"
        )


if __name__ == "__main__":
    typer.run(main)
