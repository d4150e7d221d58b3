"""A private Airflow: API server and DAG processor, on a PostgreSQL of its own or on SQLite."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from airflow_impl.environment import program
from offcanvas.servers.base import Server, ServerError, free_port, private_folder
from offcanvas.servers.postgres import postgres, programs

ROOT = str(Path(__file__).resolve().parents[1])


def check_airflow() -> None:
    """See that Airflow is installed.

    Raises:
        UsageError: it is not, or in another release.
    """
    program()


def airflow(*, postgresql: bool | None = None, settings: Mapping[str, str] | None = None) -> Server:
    """Start `python -m airflow_impl server`; `url` is the address of the API server.

    Args:
        postgresql: whether the metadata database is a private PostgreSQL, which is what Airflow
            advises for anything but a first look; None: where PostgreSQL is installed.
        settings: of ours, for the server's processes: the DAGs' schedule comes from them.

    Raises:
        UsageError: Airflow is not installed.
        ServerError: PostgreSQL is asked for and not installed, or did not come up.
    """
    check_airflow()
    if postgresql is None:
        postgresql = _postgres_is_installed()
    database = postgres() if postgresql else None
    try:
        return _airflow(database, settings or {})
    except BaseException:
        if database is not None:
            database.stop()
        raise


def _postgres_is_installed() -> bool:
    try:
        programs()
    except ServerError:
        return False
    return True


def _airflow(database: Server | None, settings: Mapping[str, str]) -> Server:
    folder = private_folder("airflow")
    home, port = folder / "home", free_port()
    command = [
        sys.executable, "-m", "airflow_impl", "server", "--port", str(port), "--home", str(home),
        *([] if database is None else ["--database", database.wait().url]),
    ]  # fmt: skip
    api = f"http://127.0.0.1:{port}"
    path = [ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    return Server(
        name="airflow",
        url=api,
        command=command,
        folder=folder,
        answers=lambda: _healthy(api),
        environment={"AIRFLOW_API_URL": api, "AIRFLOW_HOME": str(home)},
        server_environment={**settings, "PYTHONPATH": os.pathsep.join(path)},
        stands_on=[] if database is None else [database],
    )


def _healthy(api: str) -> bool:
    """Whether the API server answers, and a DAG processor reads the DAGs."""
    try:
        with urllib.request.urlopen(f"{api}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310 - our own http:// address
            health = json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError):
        return False
    return all(health[part]["status"] == "healthy" for part in ("metadatabase", "dag_processor"))
