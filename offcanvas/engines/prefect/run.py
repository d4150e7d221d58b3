"""Run a canvas on Prefect from anywhere, with a worker of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from offcanvas.engines.base import Outcome, Submission
from offcanvas.engines.importable import importable, task_modules
from offcanvas.engines.outcome import outcome_of
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.deployments import remove
from offcanvas.engines.prefect.support import SUPPORT
from offcanvas.engines.prepare import prepare_submission, vet
from offcanvas.engines.private_results import private_results
from offcanvas.errors import EngineError, EngineUnavailable
from offcanvas.servers.base import ServerError, leashed
from offcanvas.servers.prefect import prefect

if TYPE_CHECKING:
    from celery import Celery

#: Results are all there when the canvas has ended, so that one look is enough.
_ONE_LOOK = 0.2
#: Seconds for a worker to end.
_GRACE = 60.0


class PrefectEngine:
    """Runs a canvas on Prefect.

    On the server that PREFECT_API_URL names, else on a private one for the time of the run, which
    takes ten seconds and more to start. The worker is this engine's own, with a deployment and a
    work pool of its own, and results are kept in a folder: nothing of the user's broker or result
    backend is touched.
    """

    name = "prefect"
    support = SUPPORT

    def run(self, submission: Submission) -> Outcome:
        """Run to the end; see ``Engine.run``."""
        self.vet(submission)
        with self.session(submission.app) as run:
            return run(submission)

    @contextmanager
    def session(self, app: Celery) -> Iterator[Callable[[Submission], Outcome]]:
        """See ``Engine.session``."""
        with private_results(app), deployment(app) as calls:
            yield lambda submission: self._run(submission, calls)

    def vet(self, submission: Submission) -> None:
        """See ``Engine.vet``."""
        vet(submission, self)

    def _run(self, submission: Submission, calls: Caller) -> Outcome:
        prepared = prepare_submission(submission, self)
        ended = prepared.plan is None or calls.walk(
            submission.app, prepared.plan, strict=submission.strict, timeout=submission.timeout
        )
        outcome = outcome_of(prepared.result, timeout=_ONE_LOOK, interval=_ONE_LOOK / 4)
        return replace(outcome, complete=ended, plan=prepared.plan)


@contextmanager
def deployment(app: Celery, url: str | None = None, *, processes: int = 2) -> Iterator[Caller]:
    """A worker for ``app`` in a process of its own, and a server if need be.

    Args:
        app: the app, a global of a module that processes can import.
        url: a server's API; without it that of PREFECT_API_URL, or a private one.
        processes: how many tasks run at a time.

    Raises:
        BadTarget: processes cannot import the app.
        EngineUnavailable: no server answers, or a private one cannot be started.
        EngineError: the worker does not start.
    """
    target = importable(app)
    environment: Mapping[str, str] = {}
    with ExitStack() as stack:
        url = url or os.environ.get("PREFECT_API_URL")
        if url is None:
            try:
                server = stack.enter_context(prefect())
            except ServerError as error:
                raise EngineUnavailable(" ".join(str(error).split())) from error
            url, environment = server.url, server.environment
        name = f"offcanvas-{uuid.uuid4()}"
        calls = stack.enter_context(Caller(url, name))
        if not environment:  # a private server takes them along when it goes
            stack.callback(lambda: remove(calls.client, name))
        stack.enter_context(worker(app, target, url, name, processes, environment))
        yield calls


@contextmanager
def worker(
    app: Celery, target: str, url: str, name: str, processes: int, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """``python -m offcanvas.engines.prefect``, ready to work; it ends with this process."""
    command = [sys.executable, "-m", "offcanvas.engines.prefect", target, "--announce"]
    command += ["--deployment", name, "--processes", str(processes), "--grace", "0"]
    settings = {
        "PREFECT_API_URL": url,
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "0.25"),
        "OFFCANVAS_RESULT_BACKEND": str(app.conf.result_backend),
        "OFFCANVAS_INCLUDE": ",".join(task_modules(app)),
        "PYTHONPATH": os.pathsep.join([path or str(Path.cwd()) for path in sys.path]),
    }
    with subprocess.Popen(
        leashed(command),
        env={**os.environ, **environment, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise EngineError(
                    f"the worker for {target} ended with status {process.wait(_GRACE)} before it "
                    f"was ready; what it said is on stderr"
                )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_GRACE)
        finally:
            process.kill()  # for which Popen's own exit would wait for ever
