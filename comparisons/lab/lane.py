"""A profile with everything it needs: servers, database, workers, sweeper, caller, probe.

All of it is private to the lane, on spare ports and in the lab's folder, and stays from cell to
cell unless a fault harms it. Everything is started from the lane's own thread, which lives as long
as the lane: on Linux a leashed process ends with the thread that started it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from comparisons.lab import alerts
from comparisons.lab.calling import Caller, CallFailed
from comparisons.lab.probes import NotReached, Probe, Stopped
from comparisons.lab.profiles import DATABASE, Profile, intervals, starter
from comparisons.stage import ROOT
from offcanvas.comparing.process import Worker
from offcanvas.servers import Server, ServerError
from offcanvas.servers.base import free_port
from shared.database import create_tables, make_engine
from shared.fake import sized
from shared.models import Base
from shared.roll_book import fill
from shared.settings import Settings

CONCURRENCY = 2
# Twelve stations of one to three pages: a sum that forgets a part is another sum.
SIZES = (7, 20, 33, 40, 41, 52, 66, 79, 80, 81, 97, 118)
STATIONS = len(SIZES)
PAGES = sum(-(-size // 40) for size in SIZES)
WORKER_WITHIN = 300.0  # seconds; a limit, not an expectation


class Lane:
    """See the module; a context manager that stops everything."""

    def __init__(self, profile: Profile, folder: Path, stop: threading.Event) -> None:
        self.profile = profile
        self.folder = folder
        self.stop = stop
        self.servers: dict[str, Server] = {}
        self.workers: list[Worker] = []
        self.sweeper: Worker | None = None
        #: None where Prometheus is not installed, or the engine has nothing that looks at it.
        self.alerts: alerts.Alerts | None = None
        self._watch: Worker | None = None
        self._ports: dict[int, int] = {}  # of workers' metrics, by the worker's pid
        self._caller: Caller | None = None
        self._stack = ExitStack()
        self._started_workers = 0
        folder.mkdir()
        self.probe = Probe(folder / "p", stop)
        self._stack.callback(self.probe.close)

    def __enter__(self) -> Lane:
        """Start the servers, fill the roll book, and be ready for the first cell.

        Raises:
            ServerError: a server does not come up, or no worker takes work.
        """
        try:
            self._start_servers()
            if alerts.available(self.profile.package):
                self.alerts = alerts.Alerts()
                self._stack.callback(self.alerts.stop)
                self.alerts.wait()
            self._database = make_engine(self.servers[DATABASE].url)
            self._stack.callback(self._database.dispose)
            create_tables(self._database)
            with self.session() as session:
                fill(session, sized(SIZES))
            self._stack.callback(self._end_processes)
            self.make_ready()
        except BaseException as error:
            self._stack.close()
            if isinstance(error, NotReached):
                raise ServerError(f"{self.profile.name} does not come up: {error}") from None
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self._stack.close()

    def _start_servers(self) -> None:
        for role, name in {DATABASE: "postgres", **self.profile.servers}.items():
            self._check_stop()
            self.servers[role] = server = starter(name)()
            self._stack.callback(server.stop)
        for server in self.servers.values():
            self._wait_for(server)

    def _wait_for(self, server: Server) -> None:
        deadline = time.monotonic() + server.start_timeout
        while not server.answers():
            self._check_stop()
            if not server.running or time.monotonic() > deadline:
                server.wait()  # raises, with the end of the log
            time.sleep(0.1)

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise Stopped

    # What a fault may use -------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the lane's processes: ours without our settings, and its own."""
        ours = {name.upper() for name in Settings.model_fields} - {"AIRFLOW_ENVIRONMENT"}
        kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        for role in (role for role in self.servers if role != "results"):
            kept |= self.servers[role].environment
        if "results" in self.servers:
            kept["CELERY_RESULT_BACKEND"] = self.servers["results"].url
        return {
            **kept,
            **self.profile.environment,
            **intervals(),
            "ROLLS_DIR": str(self.folder / "rolls"),
            "CONCURRENCY": str(CONCURRENCY),
            "FAULT_PROBE": str(self.probe.path),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def caller(self) -> Caller:
        """The process that starts runs; a new one where the last was killed."""
        if self._caller is None or not self._caller.alive:
            self._caller = Caller(
                self.profile, self.environment, self.folder / "caller.log", self.stop
            )
        return self._caller

    @property
    def worker(self) -> Worker:
        """The worker that was started last."""
        return self.workers[-1]

    def add_worker(self) -> Worker:
        """Start another one; it may take a moment before it takes work."""
        return self.take_worker([sys.executable, *self.profile.worker, str(CONCURRENCY)])

    def take_worker(self, command: list[str]) -> Worker:
        """Start a worker by this command; Prometheus, if there is one, scrapes it."""
        self._started_workers += 1
        port = free_port()
        watched = self.alerts is not None and self.profile.measured_workers
        told = {self.profile.metrics_port: str(port)} if watched else {}
        worker = Worker(
            command,
            self.environment | told,
            self.folder / f"worker-{self._started_workers}.log",
            ROOT,
        )
        if watched:
            self._ports[worker.pid] = port
        self.workers.append(worker)
        self._scrape()
        return worker

    def _scrape(self) -> None:
        if self.alerts is not None:
            ports = (self._ports.get(worker.pid) for worker in self.workers)
            self.alerts.scrape(port for port in ports if port is not None)

    def wait_for_worker(self) -> None:
        """Return once a worker takes work.

        Raises:
            NotReached: none does.
        """
        deadline = time.monotonic() + WORKER_WITHIN
        while True:
            try:
                self.caller.ask("ready", timeout=15.0, within=45.0)
            except CallFailed as error:
                if time.monotonic() > deadline:
                    raise NotReached(f"no worker took work: {error}") from None
                if "no answer" in str(error) or "ended" in str(error):
                    self.caller.kill()
                time.sleep(0.5)
            else:
                return

    def session(self) -> Any:
        """A transaction in the lane's database: `with lane.session() as session`."""
        return sessionmaker(self._database, expire_on_commit=False).begin()

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for something that has to be asked for, four times a second.

        Raises:
            NotReached: it did not come about in time.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise NotReached(f"{what}: not within {timeout:g} s")
            self.pause(0.25)

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the lab is to end."""
        if self.stop.wait(seconds):
            raise Stopped

    # Between cells --------------------------------------------------------------------------

    def make_ready(self, *, fresh: bool = False, execution: str | None = None) -> None:
        """Servers up, one worker that takes work, a sweeper and a caller.

        Args:
            fresh: the last cell may have left something behind: new workers.
            execution: what was left unfinished, to be abandoned.
        """
        for server in self.servers.values():
            server.thaw()
            server.start()
        if execution is not None:
            self._abandon(execution)
        while self.workers and (fresh or len(self.workers) > 1 or not self.worker.alive):
            self.workers.pop(0).kill()
        self.probe.clear()  # after the workers: what hangs is to die, not to go on
        started = not self.workers
        if started:
            self.add_worker()
        self._keep_sweeping()
        self._keep_watching()
        if started:
            self.wait_for_worker()

    def _keep_sweeping(self) -> None:
        """Celery's beat is a process to be kept alive; other schedules are in the server."""
        if self.profile.sweeps is None or (
            self.sweeper is not None and (self.sweeper.alive or self.profile.schedule_in_server)
        ):
            return
        self.sweeper = Worker(
            [sys.executable, "-m", self.profile.package, *self.profile.sweeps],
            self.environment,
            self.folder / "sweeper.log",
            ROOT,
        )

    def _keep_watching(self) -> None:
        if self.alerts is None:
            return
        if self._watch is None or not self._watch.alive:
            self._watch = Worker(
                [sys.executable, "-m", self.profile.package, "watch",
                 "--port", str(self.alerts.watch_port)],
                self.environment | {"WATCH_EVERY": "1"},
                self.folder / "watch.log",
                ROOT,
            )  # fmt: skip
        self._scrape()

    def _abandon(self, execution: str) -> None:
        try:
            self.caller.ask("abandon", execution=execution, within=30.0)
        except CallFailed:
            self.caller.kill()  # the worker is new and the rows are gone: nothing can come of it

    def forget(self, run_id: str) -> None:
        """Remove all rows of a run."""
        with self.session() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if "run_id" in table.columns:
                    session.execute(table.delete().where(table.c.run_id == run_id))

    def _end_processes(self) -> None:
        if self._caller is not None:
            self._caller.kill()
        others = [process for process in (self.sweeper, self._watch) if process is not None]
        for process in (*self.workers, *others):
            process.kill()
        self.workers.clear()

    @property
    def logs(self) -> Mapping[str, Path]:
        """Every log of the lane, by what wrote it."""
        written = {path.stem: path for path in sorted(self.folder.glob("*.log"))}
        return {
            **{f"{role} server": server.log for role, server in self.servers.items()},
            **written,
        }


__all__ = ["CONCURRENCY", "PAGES", "SIZES", "STATIONS", "Lane", "ServerError", "Session"]
