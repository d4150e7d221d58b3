"""`python -m airflow_impl worker`: Airflow's scheduler with the LocalExecutor.

The scheduler decides what is next, and the executor's processes, as many as `--concurrency` says,
execute it; on SIGTERM the steps in hand are let end. Several workers are several schedulers, which
share the metadata database and the pool: the second one doubles what a machine can do only if the
pool is made larger.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import typer

from airflow_impl import configuration
from airflow_impl.api import Api, import_errors
from airflow_impl.environment import program, variables
from airflow_impl.names import POOL
from shared.errors import UsageError
from shared.settings import settings


def run_worker(concurrency: int) -> None:
    """Become the scheduler; does not return.

    Raises:
        UsageError: no environment, no server, no AIRFLOW_HOME, or a DAG does not import.
    """
    airflow = program()
    if settings().metrics_port is not None:
        typer.echo(
            "METRICS_PORT is of no use to this worker: Airflow tells of its tasks by StatsD or "
            "OpenTelemetry ([metrics] in airflow.cfg); `watch` tells of queue, runs and workers",
            err=True,
        )
    home = settings().required("airflow_home")
    if not (Path(home) / "airflow.cfg").is_file():
        raise UsageError(f"AIRFLOW_HOME={home} has no airflow.cfg: name the server's own folder")
    api = Api()
    try:
        if broken := import_errors(api):
            raise UsageError(f"a DAG does not import: {broken[0]}; mend the file, and start again")
        slots = {"slots": concurrency, "include_deferred": False}
        if api.create("/pools", {"name": POOL, **slots}) is None:
            api.change(f"/pools/{POOL}", {"pool": POOL, **slots})
    finally:
        api.close()
    environment = variables(
        {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__PARALLELISM": str(concurrency),
            **configuration.as_variables("scheduler", configuration.scheduling()),
            # Each of several schedulers on a machine serves its logs on a port of its own.
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
        }
    )
    os.execve(airflow, [str(airflow), "scheduler"], environment)  # noqa: S606 - no shell is wanted


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
