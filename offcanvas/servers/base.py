"""A server process with a folder of its own: start, wait until it answers, stop, tidy up.

And what a fault lab does to it: `kill`, `freeze` and `thaw`, `start` again on the same data and the
same port.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import SystemRandom
from types import TracebackType

import psutil

from offcanvas.errors import OffcanvasError

#: Seconds within which a process that is told to stands still.
_STOPS_WITHIN = 10.0
#: Bytes of the path of a place for folders: what is left of 107 goes to names inside of them.
_LONGEST_PLACE = 60

LEASH = Path(__file__).with_name("leash.py")


class ServerError(OffcanvasError):
    """A server did not come up; the message ends with the last lines of its log."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones.

    From below the range out of which Linux takes the ports of outgoing connections: while a server
    is down, a client that keeps trying could otherwise be given the server's port as its own, and
    find itself connected to itself, with the port taken when the server comes back.
    """
    ports: list[int] = []
    with ExitStack() as probes:
        while len(ports) < count:
            probe = probes.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", SystemRandom().randrange(10_000, 32_000)))
            except OSError:
                continue
            ports.append(int(probe.getsockname()[1]))
    return ports


def leashed(
    command: Sequence[str],
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
) -> list[str]:
    """The command, made to end with this process even if this process is killed.

    It gets `stop_signal` then; with `user` it is run as that user, which only root can ask for.
    """
    leash = [sys.executable, "-S", "-E", str(LEASH), str(os.getpid())]
    return [*leash, str(int(stop_signal)), user or "-", *command]


def private_folder(name: str, *, open_to_others: bool = False) -> Path:
    """A new folder with a short path: a Unix socket's path may have 107 bytes at most.

    It is made where temporary files go or, if that path is too long, in the first of the usual
    places that can be written; with ``open_to_others`` where other users can reach it.

    Raises:
        ServerError: no folder can be made.
    """
    places = [] if (usual := _usual_place()) is None else [usual]
    places += [place for place in ("/tmp", "/var/tmp") if place != usual]  # noqa: S108  # private ones are made inside
    for place in places:
        if len(os.fsencode(place)) > _LONGEST_PLACE or (open_to_others and not _is_open(place)):
            continue
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=f"oc-{name}-", dir=place))
    others = " and other users can reach" if open_to_others else ""
    raise ServerError(
        f"no folder can be made in {' or '.join(places)}: set TMPDIR to one that you can write to"
        f"{others}, of at most {_LONGEST_PLACE} bytes"
    )


def _usual_place() -> str | None:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # it has tried all that there are
        return None


def _is_open(place: str) -> bool:
    """Whether other users can come to it."""
    here, there = Path(place).absolute(), Path(place).resolve()
    try:
        return all(
            each.stat().st_mode & stat.S_IXOTH
            for each in (here, *here.parents, there, *there.parents)
        )
    except OSError:
        return False


def found(program: str, remedy: str) -> str:
    """The program's path.

    Raises:
        ServerError: it is not on PATH; the message says what to do.
    """
    path = shutil.which(program)
    if path is None:
        raise ServerError(f"no {program} on PATH: {remedy}")
    return path


def stop_process_group(
    process: subprocess.Popen[bytes],
    grace: float = 10.0,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> None:
    """The signal to the process, then, after `grace` seconds, SIGKILL to what is left of its group.

    The process must have been started with `start_new_session=True`. One that is frozen is woken.
    """
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _family(pid: int) -> list[psutil.Process]:
    """The process, then its descendants: PostgreSQL gives each of its own a session."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait_stopped(processes: Iterable[psutil.Process]) -> None:
    """Return when all their threads stand still: one that was at work may do so a little longer."""
    deadline = time.monotonic() + _STOPS_WITHIN
    for process in processes:
        while not _is_stopped(process) and time.monotonic() < deadline:
            time.sleep(0.001)


def _is_stopped(process: psutil.Process) -> bool:
    try:
        if not Path("/proc/self/task").exists():  # not Linux
            return bool(process.status() == psutil.STATUS_STOPPED)
        threads = Path(f"/proc/{process.pid}/task").iterdir()
        states = {(each / "stat").read_text().rpartition(")")[2].split()[0] for each in threads}
    except (psutil.NoSuchProcess, OSError):  # it has ended, or a thread of it has
        return not process.is_running()
    return states <= {"T", "t", "Z", "X"}


@dataclass
class Server:
    """A running server.

    `url` is what a client is configured with; `environment` the variables that make the project's
    own processes use it; `folder` holds its data and `log` its output until `stop()`. `stop_signal`
    asks it to end with everything in order; `companion` is a command that runs from the start to
    `stop()`, whatever happens to the server; `user` is who both are run as, if not as ourselves;
    `stands_on` are servers of its own, which `stop()` stops as well; `hidden` are beginnings of
    names of variables that it does not get: its user's, for other servers; `ports` are those that
    it and its companion listen on: another program that has one meanwhile is not taken for it.
    """

    name: str
    url: str
    command: Sequence[str]
    folder: Path
    answers: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    server_environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout: float = 300.0
    stop_signal: signal.Signals = signal.SIGTERM
    companion: Sequence[str] = ()
    user: str | None = None
    stands_on: Sequence[Server] = ()
    hidden: Sequence[str] = ()
    ports: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Start the process; it may not answer yet."""
        self.log = self.folder / f"{self.name}.log"
        self._companion = self._spawn(self.companion) if self.companion else None
        self._process = self._spawn(self.command)

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                leashed(command, stop_signal=self.stop_signal, user=self.user),
                cwd=self.folder,
                env={**self._inherited(), **self.server_environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _inherited(self) -> dict[str, str]:
        hidden = tuple(self.hidden)
        return {name: it for name, it in os.environ.items() if not name.startswith(hidden)}

    def _not_ours(self) -> set[int]:
        """Those of its ports that neither the server nor its companion listens on."""
        ours = [self._process, self._companion]
        missing = set(self.ports)
        for process in chain.from_iterable(_family(it.pid) for it in ours if it is not None):
            try:
                sockets = process.net_connections("tcp")
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied:  # another user's
                return set()
            missing -= {it.laddr.port for it in sockets if it.status == psutil.CONN_LISTEN}
        return missing

    @property
    def pid(self) -> int:
        """The server's process id, which is also its process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there, answering, frozen or neither."""
        return self._process.poll() is None

    def wait(self) -> Server:
        """Return once the server answers.

        Raises:
            ServerError: it ended, or did not answer within `start_timeout` seconds.
        """
        deadline = time.monotonic() + self.start_timeout
        while not (answered := self.answers()) or self._not_ours():
            ended = self._process.poll()
            if ended is None and self._companion is not None:
                ended = self._companion.poll()
            if answered or ended is not None:
                self._see_its_ports()
            if ended is not None:
                raise ServerError(
                    f"{self.name} ended with status {ended} before it answered:\n"
                    f"{self._last_lines()}"
                )
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} did not answer within {self.start_timeout:.0f} s:\n"
                    f"{self._last_lines()}"
                )
            time.sleep(0.05)
        return self

    def _see_its_ports(self) -> None:
        listened_on = set(filter(port_open, self.ports))
        taken = listened_on & self._not_ours()
        if taken:
            raise ServerError(
                f"{self.name} cannot start: another program has taken its port {min(taken)} "
                "meanwhile; try again"
            )

    def _last_lines(self, count: int = 12) -> str:
        if not self.log.exists():
            return "  (no log)"
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(f"  {line}" for line in lines) or "  (empty log)"

    def kill(self) -> None:
        """SIGKILL to the process and all its descendants at once; the data stays."""
        family = _family(self.pid)
        _signal_all(family, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        self._process.wait()

    def end(self) -> None:
        """End the process as its operator would; the data stays."""
        stop_process_group(self._process, grace=30.0, stop_signal=self.stop_signal)

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections, and answers nobody until `thaw`.

        The one thing that the leash cannot end: if this process is killed meanwhile, the frozen
        server does not hear of it.
        """
        family = _family(self.pid)
        _signal_all(family, signal.SIGSTOP)
        _wait_stopped(family)

    def thaw(self) -> None:
        """SIGCONT."""
        _signal_all(_family(self.pid), signal.SIGCONT)

    def start(self) -> None:
        """Start it again on the same data and the same port, and wait until it answers.

        A server that is running is let be.

        Raises:
            ServerError: it did not come up.
        """
        if not self.running:
            self._process = self._spawn(self.command)
        self.wait()

    def restart(self, *, kill: bool = False) -> None:
        """End the process (with SIGKILL if `kill`) and start it again on the same data."""
        if kill:
            self.kill()
        else:
            self.end()
        self.start()

    def stop(self) -> None:
        """End the process and remove its folder; calling it again changes nothing."""
        family = _family(self.pid)
        stop_process_group(self._process, stop_signal=self.stop_signal)
        _signal_all(family, signal.SIGKILL)
        if self._companion is not None:
            stop_process_group(self._companion)
        for server in self.stands_on:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Server:
        """Wait until it answers; a server that does not is stopped."""
        try:
            return self.wait()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()


@contextmanager
def start_together(*starters: Callable[[], Server]) -> Iterator[list[Server]]:
    """Start several servers at once and wait for all; stop them all at the end."""
    with ExitStack() as stack:
        servers = []
        for starter in starters:
            server = starter()
            stack.callback(server.stop)
            servers.append(server)
        for server in servers:
            server.wait()
        yield servers


def port_open(port: int) -> bool:
    """Whether something listens on this port of the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
