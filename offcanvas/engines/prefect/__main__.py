"""``python -m offcanvas.engines.prefect module:app``: a worker, or a deployment for another one."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from offcanvas.errors import OffcanvasError

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
    heartbeat: Annotated[int, typer.Option(min=1, help="Seconds between signs of life.")] = 5,
    announce: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the canvases that reach the Prefect server at PREFECT_API_URL."""
    for name, value in PREFECT_SETTINGS.items():
        os.environ.setdefault(name, value)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as text, which is what is on the path
    try:
        _work(app, processes, deployment, work_pool, grace, heartbeat, announce)
    except (OffcanvasError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != "prefect":
            raise
        reason = " ".join(str(error).split())
        if isinstance(error, ModuleNotFoundError):
            reason = "Prefect is not installed: pip install 'offcanvas[prefect]'"
        typer.echo(f"offcanvas: {reason}", err=True)
        raise typer.Exit(2) from None


def _work(
    app: str,
    processes: int | None,
    deployment: str,
    work_pool: str | None,
    grace: float,
    heartbeat: int,
    announce: bool,
) -> None:
    from offcanvas.engines.prefect.client import Caller, address
    from offcanvas.engines.prefect.deployments import create_pool, deploy
    from offcanvas.engines.prefect.work import load, own_settings

    load(app, own_settings())
    with Caller(address()) as caller:
        if work_pool is None:
            caller.ask(lambda: create_pool(caller.client, deployment))
        caller.ask(lambda: deploy(caller.client, app, deployment, work_pool or deployment))
    if work_pool is not None:
        typer.echo(f"canvas/{deployment} is deployed to the work pool {work_pool}")
        return
    from offcanvas.engines.prefect.worker import serve

    up = f"{app}: at work for canvas/{deployment} at {address()}; Ctrl-C ends it"
    serve(
        app,
        work_pool=deployment,
        processes=processes,
        settings=own_settings(),
        grace=grace,
        heartbeat=heartbeat,
        ready=lambda: print("ready" if announce else up, flush=True),  # noqa: T201  # so that whoever started it knows
    )


if __name__ == "__main__":
    typer.run(main)
