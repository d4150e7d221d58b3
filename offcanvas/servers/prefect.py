"""A private Prefect server, on SQLite or on a PostgreSQL of its own."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from offcanvas.servers import blank
from offcanvas.servers.base import Server, free_port, private_folder
from offcanvas.servers.postgres import postgres

#: Where the server finds `prefect_server`, also if the kit is not installed.
HERE = str(Path(__file__).resolve().parents[2])


def prefect(*, postgresql: bool = False) -> Server:
    """Start `prefect server start`; `url` is the address of its API.

    With `postgresql=True` its database is a private PostgreSQL, which is what Prefect advises for
    anything but trying it out. A server on SQLite that is killed at work can answer nothing but
    "database is locked" for minutes after it has come back (Prefect 3.8.8, November 2026).

    The recorder of task-run events reads and writes 100 at a time instead of one: without it the
    server is busy with the events of a wide flow long after the flow has ended. Its flush
    interval stays as it is; changing it makes runs hang.

    On SQLite it is started by ``prefect_server``, which says what is different and why, with a
    copy of the empty database of the first such server (`blank`).

    Raises:
        ServerError: PostgreSQL is asked for and not installed, or did not come up.
    """
    database = postgres() if postgresql else None
    try:
        return _prefect(database)
    except BaseException:
        if database is not None:
            database.stop()
        raise


def _prefect(database: Server | None) -> Server:
    folder = private_folder("prefect")
    port = free_port()
    file = folder / "prefect.db"
    connection = f"sqlite+aiosqlite:///{file}"
    module = "offcanvas.servers.prefect_server"
    if database is not None:
        connection = database.wait().url.replace("+psycopg", "+asyncpg")
        module = "prefect"
    else:
        blank.begin(file)
    api = f"http://127.0.0.1:{port}/api"
    command = [
        sys.executable, "-m", module, "server", "start",
        "--host", "127.0.0.1", "--port", str(port), "--no-ui",
    ]  # fmt: skip
    return Server(
        name="prefect",
        url=api,
        command=command,
        folder=folder,
        answers=lambda: _is_up(api, file if database is None else None),
        environment={"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "home")},
        server_environment={
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": api,
            "PREFECT_API_DATABASE_CONNECTION_URL": connection,
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
            # By default a hundred runs of a new schedule are planned ahead: 8 s of CPU.
            "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "3",
            # By default each flow run that was cancelled in the last day is looked at every 20 s.
            "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "120",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLI_PROMPT": "false",
            "PYTHONPATH": os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "DO_NOT_TRACK": "1",
        },
        stands_on=[] if database is None else [database],
        # Of the user's server: its password, its database, its paths.
        hidden=["PREFECT_"],
        ports=[port],
    )


#: Without the proxy that the environment names.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _is_up(api: str, file: Path | None) -> bool:
    healthy = _healthy(api)
    if healthy and file is not None:
        blank.keep(file)
    return healthy


def _healthy(api: str) -> bool:
    try:
        with _DIRECTLY.open(f"{api}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
