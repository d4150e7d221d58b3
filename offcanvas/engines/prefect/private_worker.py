"""A worker on Prefect for the time of a run, and a server if the user's environment names none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from offcanvas.celery_app.importable import importable, task_modules
from offcanvas.engines.prefect.client import Caller
from offcanvas.engines.prefect.connection import configured
from offcanvas.engines.prefect.deployments import remove
from offcanvas.errors import EngineError, EngineUnavailable
from offcanvas.servers.base import ServerError, leashed
from offcanvas.servers.prefect import prefect

if TYPE_CHECKING:
    from celery import Celery

#: Seconds for a worker to end.
_GRACE = 60.0


@contextmanager
def private_worker(
    app: Celery, url: str | None = None, *, processes: int = 2, private: bool = False
) -> Iterator[Caller]:
    """A worker for ``app`` in a process of its own, and a server if need be.

    Args:
        app: the app, a global of a module that processes can import.
        url: a server's API; without it the one that Prefect's configuration names, or else a
            private one.
        processes: how many tasks run at a time.
        private: a private server, whatever is configured.

    Raises:
        BadTarget: processes cannot import the app.
        EngineUnavailable: no server answers, or a private one cannot be started.
        EngineError: the worker does not start.
    """
    target = importable(app)
    environment: Mapping[str, str] = {}
    with ExitStack() as stack:
        url = url or (None if private else configured().url)
        if url is None:
            try:
                server = stack.enter_context(prefect())
            except ServerError as error:
                raise EngineUnavailable(" ".join(str(error).split())) from error
            url, environment = server.url, server.environment
        name = f"offcanvas-{uuid.uuid4()}"
        calls = stack.enter_context(Caller(url, name, private=bool(environment)))
        if not environment:  # a private server takes them along when it goes
            stack.callback(lambda: remove(calls.client, name))
        stack.enter_context(worker(app, target, url, name, processes, environment))
        yield calls


@contextmanager
def worker(
    app: Celery, target: str, url: str, name: str, processes: int, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m offcanvas.engines.prefect``, ready to work; it ends with this process.

    What its tasks print goes where this process prints. It says that it is ready in a pipe apart:
    whatever an app prints while it is imported is not an answer.
    """
    answers, announce = os.pipe()
    command = [sys.executable, "-m", "offcanvas.engines.prefect", target]
    command += ["--announce", str(announce)]
    command += ["--deployment", name, "--processes", str(processes), "--grace", "0"]
    settings = {
        "PREFECT_API_URL": url,
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "0.25"),
        "OFFCANVAS_RESULT_BACKEND": str(app.conf.result_backend),
        "OFFCANVAS_INCLUDE": ",".join(task_modules(app)),
        "PYTHONPATH": os.pathsep.join([path or str(Path.cwd()) for path in sys.path]),
    }
    with subprocess.Popen(
        # Killed with us: to end well it would have to wait for a server that has gone with us.
        leashed(command, stop_signal=signal.SIGKILL),
        env={**_inherited(private=bool(environment)), **environment, **settings},
        stdin=subprocess.DEVNULL,
        pass_fds=[announce],
    ) as process:
        os.close(announce)
        try:
            with open(answers) as said:  # noqa: PTH123  # a file descriptor, not a path
                if said.readline() != "ready\n":
                    raise EngineError(
                        f"the worker for {target} {_ending(process)} before it was ready; what it "
                        "said is on stderr"
                    )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE)
        finally:
            process.kill()  # for which Popen's own exit would wait for ever


#: Beginnings of variables that say who asks, and by which way, where the server is the user's.
_HIDDEN = ("PREFECT_API_", "PREFECT_PROFILE", "PREFECT_CLIENT_CUSTOM_HEADERS")


def _inherited(*, private: bool) -> dict[str, str]:
    """What the worker gets of the environment."""
    if not private:
        return dict(os.environ)
    kept = {name: it for name, it in os.environ.items() if not name.startswith(_HIDDEN)}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, [kept.get(name), "127.0.0.1"]))
    return kept


def _ending(process: subprocess.Popen[bytes]) -> str:
    try:
        return f"ended with status {process.wait(_GRACE)}"
    except subprocess.TimeoutExpired:
        return "went silent"
