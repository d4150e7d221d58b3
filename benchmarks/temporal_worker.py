"""A Temporal worker with the kit's plugin, as an app would have one.

python -m benchmarks.temporal_worker celery_impl.app:app --processes 2
"""

import asyncio
import signal
from importlib import import_module
from typing import Annotated

import typer


def main(
    app: Annotated[str, typer.Argument(metavar="MODULE:APP")],
    processes: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Work until SIGTERM."""
    asyncio.run(_work(app, processes))


async def _work(app: str, processes: int) -> None:
    from temporalio.worker import Worker

    from offcanvas.engines.temporal import CanvasPlugin
    from offcanvas.engines.temporal.client import connect

    module, _, name = app.partition(":")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    plugin = CanvasPlugin(getattr(import_module(module), name), processes=processes)
    async with Worker(await connect(), task_queue="offcanvas", plugins=[plugin]):
        print("ready", flush=True)  # noqa: T201  # so that whoever started it knows
        await stop.wait()


if __name__ == "__main__":
    typer.run(main)
