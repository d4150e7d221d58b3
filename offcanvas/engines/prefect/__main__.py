"""``python -m offcanvas.engines.prefect module:app``: a worker, or a deployment for another one."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from offcanvas import metrics
from offcanvas.engines.command_line import run
from offcanvas.errors import OffcanvasError
from offcanvas.metrics import HOST
from offcanvas.metrics.options import MetricsHost, MetricsPort
from offcanvas.printable import masked, say

#: What a worker changes of Prefect's settings for its own process; the environment wins.
#: https://docs.prefect.io/v3/api-ref/settings-ref
PREFECT_SETTINGS = {
    # A worker asks for work every 15 s by default, which would be all one sees of a small canvas.
    "PREFECT_WORKER_QUERY_SECONDS": "0.5",
    # At INFO each task run writes three lines, and sends them to the server as well.
    "PREFECT_LOGGING_LEVEL": "WARNING",
}


def main(
    app: Annotated[str, typer.Argument(metavar="MODULE:APP", help="Where the Celery app is.")],
    processes: Annotated[int | None, typer.Option(min=1, help="Tasks at a time.")] = None,
    deployment: Annotated[
        str, typer.Option(envvar="OFFCANVAS_DEPLOYMENT", help="Name of deployment and work pool.")
    ] = "offcanvas",
    work_pool: Annotated[
        str | None,
        typer.Option(help="Deploy to this pool, which Prefect's own workers serve, and end."),
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds to go on after SIGTERM.")] = 30.0,
    heartbeat: Annotated[int, typer.Option(min=1, help="Seconds between heartbeats.")] = 5,
    batch: Annotated[
        str,
        typer.Option(
            metavar="none|auto|N",
            help="What of a batch runs at a time: N members, or half a second's worth; none for "
            "what the canvas says.",
        ),
    ] = "none",
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = HOST,
    announce: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the canvases that reach the Prefect server at PREFECT_API_URL."""
    for name, value in PREFECT_SETTINGS.items():
        os.environ.setdefault(name, value)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as text, which is what is on the path
    if metrics_port is not None and work_pool is None:
        metrics.start(metrics_port, metrics_host)
    try:
        _work(app, processes, deployment, work_pool, grace, heartbeat, batch, announce)
    except (OffcanvasError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != "prefect":
            raise
        reason = masked(" ".join(str(error).split()))
        if isinstance(error, ModuleNotFoundError):
            reason = "Prefect is not installed: pip install 'offcanvas[prefect]'"
        say(f"offcanvas: {reason}", err=True)
        raise typer.Exit(2) from None


def _work(
    app: str,
    processes: int | None,
    deployment: str,
    work_pool: str | None,
    grace: float,
    heartbeat: int,
    batch: str,
    announce: int | None,
) -> None:
    from offcanvas.celery_app.storable import count_if_not_storable
    from offcanvas.engines.batches import batch_of_word
    from offcanvas.engines.prefect.client import Caller
    from offcanvas.engines.prefect.connection import address
    from offcanvas.engines.prefect.deployments import create_pool, deploy
    from offcanvas.engines.prefect.work import load, own_settings

    limit = batch_of_word(batch)
    loaded = load(app, own_settings())
    metrics.knows("prefect", loaded.tasks)
    with Caller(address()) as caller:
        if work_pool is None:
            caller.ask(lambda: create_pool(caller.client, deployment))
        caller.ask(lambda: deploy(caller.client, app, deployment, work_pool or deployment))
    if work_pool is not None:
        say(f"canvas/{deployment} is deployed to the work pool {work_pool}")
        return
    from offcanvas.engines.prefect.look import look
    from offcanvas.engines.prefect.worker import serve
    from offcanvas.metrics.sight import Sight

    def see() -> Sight:
        count_if_not_storable(loaded, "prefect")
        with Caller(address()) as watcher:
            return look(watcher.client, deployment)

    metrics.watch("prefect", see)

    def ready() -> None:
        if announce is None:
            up = f"{app}: at work for canvas/{deployment} at {masked(address())}; Ctrl-C ends it"
            say(up)  # so that whoever started it knows
            return
        with open(announce, "w") as pipe:  # noqa: PTH123  # a file descriptor, not a path
            pipe.write("ready\n")

    serve(
        app,
        work_pool=deployment,
        processes=processes,
        settings=own_settings(),
        grace=grace,
        heartbeat=heartbeat,
        batch=limit,
        ready=ready,
    )


if __name__ == "__main__":
    run(main)
