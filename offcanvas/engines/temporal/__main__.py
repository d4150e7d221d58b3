"""``python -m offcanvas.engines.temporal module:app``: a worker, graceful when it is stopped."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Annotated

import typer

from offcanvas import metrics
from offcanvas.engines.command_line import run
from offcanvas.errors import OffcanvasError
from offcanvas.metrics import HOST
from offcanvas.metrics.options import MetricsHost, MetricsPort
from offcanvas.printable import Masking, masked, say


def main(
    app: Annotated[str, typer.Argument(metavar="MODULE:APP", help="Where the Celery app is.")],
    processes: Annotated[int | None, typer.Option(min=1, help="Tasks at a time.")] = None,
    task_queue: Annotated[
        str, typer.Option(envvar="OFFCANVAS_TASK_QUEUE", help="Where callers send canvases.")
    ] = "offcanvas",
    grace: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds that tasks may go on after SIGTERM; as long as they take if unset."
        ),
    ] = None,
    batch: Annotated[
        str,
        typer.Option(
            metavar="none|auto|N",
            help="How much of a batch runs here before the rest is given back: N members, or half "
            "a second's worth; none for what the canvas says.",
        ),
    ] = "none",
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = HOST,
) -> None:
    """Run the canvases that reach the Temporal server which Temporal's own configuration names.

    SIGTERM or Ctrl-C: the tasks in hand end first. A second one ends the worker at once.
    """
    log = logging.StreamHandler()
    log.setFormatter(Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[log])
    if metrics_port is not None:
        metrics.start(metrics_port, metrics_host)
    try:
        asyncio.run(_work(app, processes, task_queue, grace, batch))
    except (OffcanvasError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != "temporalio":
            raise
        reason = masked(" ".join(str(error).split()))
        if isinstance(error, ModuleNotFoundError):
            reason = "Temporal is not installed: pip install 'offcanvas[temporal]'"
        say(f"offcanvas: {reason}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:  # before there was anything to stop
        raise typer.Exit(130) from None


async def _work(
    target: str, processes: int | None, task_queue: str, grace: float | None, batch: str
) -> None:
    from offcanvas.celery_app.importable import load_app
    from offcanvas.celery_app.shared_results import require_shared_results
    from offcanvas.celery_app.storable import count_if_not_storable
    from offcanvas.engines.batches import batch_of_word
    from offcanvas.engines.temporal.connection import configured, connect
    from offcanvas.engines.temporal.look import look
    from offcanvas.engines.temporal.serving import serve
    from offcanvas.errors import UsageError
    from offcanvas.metrics.sight import Sight

    limit = batch_of_word(batch)
    host = configured().get("target_host")
    if not host:
        raise UsageError(
            "nothing says where the Temporal server is: set TEMPORAL_ADDRESS, or name it in "
            "Temporal's configuration file"
        )
    app = load_app(target)
    require_shared_results(app)
    if metrics.meter() is not None:
        from offcanvas.engines.temporal.telemetry import measured_runtime

        measured_runtime()
    client = await connect()
    up = f"{target}: at work on {task_queue} at {host}, {client.namespace}; Ctrl-C ends it"
    metrics.knows("temporal", app.tasks)
    loop = asyncio.get_running_loop()

    def see() -> Sight:
        count_if_not_storable(app, "temporal")
        return asyncio.run_coroutine_threadsafe(look(client, task_queue), loop).result()

    metrics.watch("temporal", see)
    await serve(
        client,
        app,
        task_queue=task_queue,
        processes=processes,
        grace=grace,
        batch=limit,
        ready=lambda: say(up),  # so that whoever started it knows
    )
    sys.stdout.flush()


if __name__ == "__main__":
    run(main)
