"""CPU time and memory of process trees.

CPU comes from differences of `cpu_times` and includes children that have ended and been waited
for, so that a process that lives for a tenth of a second counts as well. Memory is the
proportional set size where the system tells it (Linux): a page shared by four forked workers
counts a quarter in each. Elsewhere it is the resident set size, which counts it four times.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import psutil

SAMPLE_EVERY = 0.2  # seconds


def tree(roots: Sequence[int]) -> list[psutil.Process]:
    """The processes with these ids and all their descendants, those alive now."""
    found: dict[int, psutil.Process] = {}
    for pid in roots:
        try:
            process = psutil.Process(pid)
            found[pid] = process
            found.update((child.pid, child) for child in process.children(recursive=True))
        except psutil.NoSuchProcess:
            continue
    return list(found.values())


def cpu_seconds(roots: Sequence[int]) -> float:
    """CPU seconds used so far by the trees, children that have ended included."""
    total = 0.0
    for process in tree(roots):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def machine_seconds() -> float:
    """CPU seconds that the machine's cores have been busy for since it was started."""
    times = psutil.cpu_times()._asdict()
    # Guests are in the users' time already.
    at_rest = ("idle", "iowait", "guest", "guest_nice")
    return float(sum(value for name, value in times.items() if name not in at_rest))


class Others:
    """What is not ours: how many cores other programs kept busy, on average since the making.

    Ours are this process and all below it. Services that somebody else has started count as
    others, and so does the time that a hypervisor gives to other machines.
    """

    def __init__(self) -> None:
        self._since, self._before = time.monotonic(), self._seconds()

    @staticmethod
    def _seconds() -> float:
        return machine_seconds() - cpu_seconds([os.getpid()])

    def cores(self) -> float:
        """Cores, from 0."""
        passed = time.monotonic() - self._since
        return max(0.0, (self._seconds() - self._before) / passed) if passed else 0.0


def memory_bytes(roots: Sequence[int]) -> int:
    """Memory of the trees now; see the module's first lines for what is counted."""
    total = 0
    for process in tree(roots):
        try:
            total += _memory(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _memory(process: psutil.Process) -> int:
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a group of processes used; None where the processes are not ours to look at."""

    cpu_seconds: float | None
    peak_memory_bytes: int | None


class Meter:
    """Measures groups of process trees for the length of a `with` block.

    Memory is sampled by a thread every `SAMPLE_EVERY` seconds; `own_cpu_seconds` is what the
    sampling itself cost.
    """

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        self._cpu: dict[str, float] = {}
        self._peaks = dict.fromkeys(groups, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="meter", daemon=True)
        self.own_cpu_seconds = 0.0

    def __enter__(self) -> Meter:
        """Begin."""
        self._cpu = {name: cpu_seconds(roots) for name, roots in self._groups.items()}
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; the figures stay readable."""
        now = {name: cpu_seconds(roots) for name, roots in self._groups.items()}
        self._cpu = {name: max(0.0, now[name] - self._cpu[name]) for name in now}
        self._stop.set()
        self._thread.join()

    def usage(self, name: str) -> Usage:
        """What a group used within the block; for a group without processes, nothing is known."""
        if not self._groups[name]:
            return Usage(None, None)
        return Usage(self._cpu[name], self._peaks[name])

    def _sample(self) -> None:
        while True:
            for name, roots in self._groups.items():
                self._peaks[name] = max(self._peaks[name], memory_bytes(roots))
            self.own_cpu_seconds = time.thread_time()
            if self._stop.wait(SAMPLE_EVERY):
                return


@dataclass(frozen=True, slots=True)
class AfterWork:
    """What went on after a run had ended: until when, and how much CPU time it took."""

    seconds: float
    cpu_seconds: float


def wait_until_quiet(
    roots: Sequence[int], *, share: float, window: float = 0.3, limit: float = 120.0
) -> AfterWork:
    """Return once the trees have used less than `share` of one core for `window` seconds.

    The seconds end where the quiet window begins; after `limit` seconds it gives up waiting, and
    the seconds say so by having reached the limit.
    """
    begin = time.monotonic()
    first = before = cpu_seconds(roots)
    while True:
        opened = time.monotonic()
        time.sleep(window)
        now = cpu_seconds(roots)
        if now - before < share * (time.monotonic() - opened):
            return AfterWork(opened - begin, max(0.0, before - first))
        if time.monotonic() - begin > limit:
            return AfterWork(time.monotonic() - begin, max(0.0, now - first))
        before = now
