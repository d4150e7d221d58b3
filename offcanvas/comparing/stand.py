"""An engine with servers and workers of its own, which are processes that may be hurt."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offcanvas.celery_app.asking import sent
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.importable import importable, task_modules
from offcanvas.comparing.process import Worker
from offcanvas.engines.celery.engine import configured, settings_for
from offcanvas.engines.registry import engine
from offcanvas.errors import BadCanvas, EngineError, line_of
from offcanvas.servers import Server, redis

if TYPE_CHECKING:
    from celery import Celery

    from offcanvas.celery_app.planning import Submission
    from offcanvas.engines.temporal.caller import Caller

#: Seconds for a worker to come up.
_COMES_UP = 180.0


class Stand(ABC):
    """Runs canvases of one app; a run has workers of its own, and whatever it leaves is its own.

    Attributes:
        server: what hands the work out; that of Celery is its broker, and has the results as well.
        results: the Redis of the result backend.
    """

    name: str
    server: Server

    def __init__(self, app: Celery, results: Server, folder: Path) -> None:
        self.app = app
        self.results = results
        self.target = importable(app)
        self.workers: list[Worker] = []
        self._folder = folder
        self._environment: dict[str, str] = {}
        self._given: dict[str, Any] = {}

    @abstractmethod
    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """That of a worker, and what its environment has beside ours."""

    @abstractmethod
    def send(self, submission: Submission) -> Any:
        """Send the canvas; its result."""

    #: What a worker's log has when it is at work.
    ready = b"at work "

    @abstractmethod
    def begin(self) -> None:
        """Before the workers of a run are started: nothing of an earlier run reaches them."""

    @contextmanager
    def run(self, environment: Mapping[str, str]) -> Iterator[None]:
        """With a worker that has this environment; all workers are gone at the end."""
        self._environment = dict(environment)
        self.begin()
        try:
            self.add_worker()
            yield
        finally:
            for worker in self.workers:
                worker.wake()
                worker.kill()
            self.workers.clear()

    def add_worker(self) -> Worker:
        """Another worker, at work.

        Raises:
            EngineError: it does not come up.
        """
        command, extra = self.command()
        path = os.pathsep.join(one or str(Path.cwd()) for one in sys.path)
        log = self._folder / f"{self.name}-{uuid.uuid4().hex[:8]}.log"
        around = {**os.environ, **self._environment, **extra, "PYTHONPATH": path}
        worker = Worker([sys.executable, "-m", *command], around, log)
        self.workers.append(worker)
        deadline = time.monotonic() + _COMES_UP
        while self.ready not in log.read_bytes():
            if not worker.alive or time.monotonic() > deadline:
                said = log.read_text(errors="replace").split("\n")[-8:]
                raise EngineError(f"a worker of {self.name} does not come up: {' | '.join(said)}")
            time.sleep(0.05)
        return worker

    def settings(self) -> dict[str, Any]:
        """For the app in a worker."""
        return {"result_backend": self.results.url, "include": task_modules(self.app)}


class OnCelery(Stand):
    """Celery on Redis, as the user has configured its tasks."""

    name = "celery"
    ready = b"ready."

    @property
    def server(self) -> Server:  # type: ignore[override]  # the same one
        """Broker and result backend are one."""
        return self.results

    def begin(self) -> None:
        """An empty Redis: this one is private."""
        backend: Any = self.app.backend
        backend.client.flushall()

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """See base class."""
        given = {
            "app": self.target,
            "path": sys.path,
            "folder": str(self._folder),
            "settings": {**settings_for(self.app, self.results.url), **self.settings()},
            "arguments": ["-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle"],
        }
        extra = {"C_FORCE_ROOT": "1", "PYTHONUNBUFFERED": "1"}
        return ["offcanvas.engines.celery.worker", json.dumps(given)], extra

    def send(self, submission: Submission) -> Any:
        """See base class."""
        signature: Any = submission.signature
        return signature.apply_async(submission.args, submission.kwargs, **submission.options)


class _Rerouted(Stand):
    """An engine of the kit."""

    def send(self, submission: Submission) -> Any:
        """See base class."""
        prepared = sent(self.app, freeze(engine(self.name).plan(submission)), asked=False)
        if prepared.plan is not None:
            self.start(prepared.plan)
        return prepared.result

    @abstractmethod
    def start(self, plan: Any) -> None:
        """Have the server start it."""


class OnTemporal(_Rerouted):
    """The kit on Temporal."""

    name = "temporal"

    def __init__(
        self, app: Celery, results: Server, folder: Path, server: Server, caller: Caller
    ) -> None:
        super().__init__(app, results, folder)
        self.server = server
        self._caller = caller

    def begin(self) -> None:
        """A task queue of its own."""
        self._given = {"task_queue": f"faults-{uuid.uuid4()}"}

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """See base class."""
        given = {
            "app": self.target,
            "path": sys.path,
            "settings": self.settings(),
            "address": self.server.url,
            **self._given,
        }
        return ["offcanvas.comparing.worker", json.dumps(given)], {}

    def start(self, plan: Any) -> None:
        """See base class."""
        from offcanvas.engines.temporal.client import start_canvas

        calls = self._caller
        calls.wait(start_canvas(calls.client, self.app, plan, **self._given))


class OnPrefect(_Rerouted):
    """The kit on Prefect."""

    name = "prefect"

    def __init__(self, app: Celery, results: Server, folder: Path, server: Server) -> None:
        super().__init__(app, results, folder)
        self.server = server

    def begin(self) -> None:
        """A deployment and a work pool of its own."""
        self._given = {"deployment": f"faults-{uuid.uuid4()}"}

    def command(self) -> tuple[list[str], Mapping[str, str]]:
        """See base class."""
        options = ["--deployment", self._given["deployment"], "--processes", "2", "--grace", "5"]
        settings = self.settings()
        extra = {
            **self.server.environment,
            "OFFCANVAS_RESULT_BACKEND": settings["result_backend"],
            "OFFCANVAS_INCLUDE": ",".join(settings["include"]),
        }
        return ["offcanvas.engines.prefect", self.target, *options], extra

    def start(self, plan: Any) -> None:
        """See base class."""
        from offcanvas.engines.prefect.client import Caller

        with Caller(self.server.url, self._given["deployment"], private=True) as calls:
            calls.start(self.app, plan)


#: Engines that have a stand, and what starts their server.
STANDS = ("celery", "temporal", "prefect")


@contextmanager
def stand(name: str, app: Celery, folder: Path) -> Iterator[Stand]:
    """The engine of this name with its servers up; all of it is gone at the end."""
    from offcanvas import servers

    with ExitStack() as stack:
        results = stack.enter_context(redis(persistent=True))
        stack.enter_context(configured(app, results.url))
        made: Stand
        if name == "celery":
            made = OnCelery(app, results, folder)
        elif name == "temporal":
            from offcanvas.engines.temporal.caller import caller

            server = stack.enter_context(servers.temporal())
            calls = stack.enter_context(caller(server.url, ""))
            made = OnTemporal(app, results, folder, server, calls)
        else:
            made = OnPrefect(app, results, folder, stack.enter_context(servers.prefect()))
        yield made


def sending(made: Stand, submission: Submission) -> Any:
    """Send the canvas; its result.

    Raises:
        BadCanvas: it cannot be sent.
    """
    try:
        return made.send(submission)
    except EngineError:
        raise
    except Exception as error:  # of a serializer, or the app's own code
        raise BadCanvas(f"{made.name} refuses to send it: {line_of(error)}") from error
