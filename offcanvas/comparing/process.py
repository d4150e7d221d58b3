"""A worker that a fault may stop, freeze and kill, with all that it has started."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from offcanvas.meter import tree
from offcanvas.servers.base import leashed


class Worker:
    """A process with all its descendants."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        folder: Path | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                leashed(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._family: list[psutil.Process] = []

    @property
    def pid(self) -> int:
        """The main process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the main process is there, frozen or not."""
        return self._process.poll() is None

    def family(self) -> list[psutil.Process]:
        """The main process first, then its descendants, also those that have lost their parent."""
        known = {process.pid: process for process in tree([self.pid])}
        known.update((each.pid, each) for each in self._family if each.is_running())
        self._family = list(known.values())
        return self._family

    def kill(self) -> None:
        """SIGKILL to all of them, as when a machine or a container goes."""
        family = self.family()
        _send(family, signal.SIGSTOP)  # nobody sees another die and acts on it
        _send(family, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP to all of them."""
        _send(self.family(), signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT to all of them."""
        _send(self.family(), signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM to the main process: the polite word before an end."""
        self.family()
        self._process.terminate()

    def ended_within(self, seconds: float) -> bool:
        """Whether the main process ends by itself in that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive


def _send(family: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
