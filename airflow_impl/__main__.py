"""`python -m airflow_impl server | start | worker | sweep | health | watch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from airflow_impl.server import DEFAULT_PORT, run_server
from shared.cli import run
from shared.contract import EngineClient
from shared.engine_cli import make_app
from shared.metrics.sight import Sight


def _client() -> EngineClient:
    from airflow_impl.client import Client

    return Client()


def _run_worker(concurrency: int) -> None:
    from airflow_impl.worker import run_worker

    run_worker(concurrency)


def _run_sweep(older_than: float, once: bool) -> Sequence[str]:
    from airflow_impl.sweeping import run_sweep

    return run_sweep(older_than, once)


def _looker() -> AbstractContextManager[tuple[str, Callable[[], Sight]]]:
    from airflow_impl.watch import looker

    return looker()


app = make_app(
    "The voter rolls as Airflow DAGs.",
    client_factory=_client,
    run_worker=_run_worker,
    run_sweep=_run_sweep,
    looker=_looker,
)


@app.command()
def server(
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of the API server, on 127.0.0.1.")
    ] = DEFAULT_PORT,
    home: Annotated[
        Path | None,
        typer.Option(help="AIRFLOW_HOME.", show_default="a private folder, removed at the end"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="Metadata database, SQLAlchemy's address.", show_default="SQLite"),
    ] = None,
) -> None:
    """Run Airflow's API server and DAG processor in the foreground until SIGTERM."""
    run_server(port, home, database)


if __name__ == "__main__":
    run(app, "python -m airflow_impl")
