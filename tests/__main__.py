"""`python -m tests [pytest's arguments]`: every folder of tests in a pytest process of its own.

Of their own, because a Celery app is the current one of its process, with its connections, and the
folders bring apps and brokers of their own. Several at a time, because most tests wait for a server
or a worker. Tests marked `long` are left out. With a path among the arguments it is plain pytest,
in this process, and they are run.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

HERE = Path(__file__).resolve().parent
# The longest first, so that none of them is begun when all others have ended; unknown ones follow.
LONGEST = (
    "port",
    "engines/prefect",
    "engines/temporal",
    "drain",
    "docs",
    "equivalence",
    "differential",
    "prefect_impl",
    "comparisons",
    "cutover",
    "engines",
    "lessons",
    "servers",
    "airflow_impl",
    "metrics",
    "shadow",
    "check",
    "comparing",
    "benchmarks",
    "temporal_impl",
    "celery_impl",
    "faults",
    "preflight",
    "schedules",
    "beside the folders",
    "shared",
)
# Too long for one process: each folder in it has one, and what lies beside them.
SPLIT = ("engines",)
NOTHING_TO_RUN = 5  # pytest's exit status, which is not a failure where arguments select tests
MOST_AT_A_TIME = 6  # memory: some start three servers and three workers


@dataclass(frozen=True, slots=True)
class Part:
    """What one process runs; `name` is the folder's, or that of what lies beside the folders."""

    name: str
    paths: tuple[Path, ...]


@dataclass(slots=True)
class Running:
    """A part at work; its output is kept until it has ended.

    ``cpu``: seconds of it and of the processes it has waited for, once it has ended.
    """

    part: Part
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    bar: TaskID
    cpu: float = 0.0

    def text(self) -> str:
        """What it has printed so far."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


def parts_of(folder: Path) -> list[Part]:
    """Every folder with tests, the longest first, and the test files beside them."""
    parts: list[Part] = []
    for each in sorted(one for one in folder.iterdir() if any(one.rglob("test_*.py"))):
        if each.name not in SPLIT:
            parts.append(Part(each.name, (each,)))
            continue
        inner = sorted(one for one in each.iterdir() if any(one.rglob("test_*.py")))
        parts += [Part(f"{each.name}/{one.name}", (one,)) for one in inner]
        parts.append(Part(each.name, _files(each)))
    if files := _files(folder):
        parts.append(Part("beside the folders", files))
    parts.sort(key=lambda part: LONGEST.index(part.name) if part.name in LONGEST else len(LONGEST))
    return parts


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("test_*.py")))


def run_parts(parts: Sequence[Part], arguments: Sequence[str], at_a_time: int) -> list[str]:
    """Run them all, show how each has ended, and return the names of those that failed."""
    console = Console(highlight=False, soft_wrap=True)
    waiting, running, failed = list(parts), list[Running](), list[str]()
    with _bars(console) as bars, _ended_with_us(running):
        while waiting or running:
            while waiting and len(running) < at_a_time:
                running.append(_start(waiting.pop(0), arguments, bars))
            time.sleep(0.1)
            for each in list(running):
                if not _has_ended(each):
                    share = re.findall(r"\[ *(\d+)%\]\n", each.text())
                    bars.update(each.bar, completed=int(share[-1]) if share else 0)
                    continue
                running.remove(each)
                bars.remove_task(each.bar)
                status = each.process.returncode
                if status and not (status == NOTHING_TO_RUN and arguments):
                    failed.append(each.part.name)
                _tell(console, each, well=each.part.name not in failed)
    return failed


def _bars(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not sys.stdout.isatty())


def _start(part: Part, arguments: Sequence[str], bars: Progress) -> Running:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_tell`, when the part has ended
    cache = f"cache_dir=.pytest_cache/{part.name}"
    short = [] if "-m" in arguments else ["-m", "not long"]
    paths = map(str, part.paths)
    words = [sys.executable, "-m", "pytest", *paths, "-o", cache, *short, *arguments]
    process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    return Running(part, process, output, bars.add_task(part.name, total=100))


def _has_ended(each: Running) -> bool:
    pid, status, usage = os.wait4(each.process.pid, os.WNOHANG)
    if not pid:
        return False
    each.process.returncode = os.waitstatus_to_exitcode(status)
    each.cpu = usage.ru_utime + usage.ru_stime
    return True


def _tell(console: Console, ended: Running, *, well: bool) -> None:
    """One line for a part that went well, with what it has skipped; all of it for another."""
    text = ended.text()
    ended.output.close()
    lines = text.rstrip().splitlines() or ["(no output)"]
    if not well:
        console.print(f"\n===== {ended.part.name}, status {ended.process.returncode} =====")
        console.print(text, markup=False)
        return
    for line in lines:
        if line.startswith("SKIPPED"):
            console.print(line, markup=False)
    said = f"{ended.part.name:20} {lines[-1].strip('= ')}, {ended.cpu:.0f} s of CPU"
    console.print(said, markup=False)


@contextmanager
def _ended_with_us(running: list[Running]) -> Iterator[None]:
    """Whatever ends this block, pytest is interrupted as by Ctrl-C and tidies up before it ends."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    # A shell starts what is in the background with Ctrl-C ignored, and pytest would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for each in running:
            # Ctrl-C has reached it already; a second one would cut the tidying up short.
            if not isinstance(sys.exception(), KeyboardInterrupt):
                with contextlib.suppress(ProcessLookupError):
                    each.process.send_signal(signal.SIGINT)
        for each in running:
            each.process.wait()
            each.output.close()
        signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; returns the exit status."""
    if any(Path(word.partition("::")[0]).exists() for word in arguments):
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    at_a_time = min((os.cpu_count() or 1) + 2, MOST_AT_A_TIME)
    begin = time.monotonic()
    try:
        failed = run_parts(parts_of(HERE), arguments, at_a_time)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the program's own output
        return 130
    seconds = time.monotonic() - begin
    if failed:
        print(f"FAILED after {seconds:.0f} s: {', '.join(failed)}")  # noqa: T201 - likewise
        return 1
    print(f"all tests passed in {seconds:.0f} s")  # noqa: T201 - likewise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
