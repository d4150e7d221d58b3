"""`python -m temporal_impl start | worker | sweep | health | watch`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from shared.cli import run
from shared.contract import EngineClient
from shared.engine_cli import make_app
from shared.logs import log_to_stderr
from shared.metrics.sight import Sight


# The SDK takes a second to be imported: not for `--help`, and not before a worker can be stopped.
def _client() -> EngineClient:
    from temporal_impl.client import Client

    return Client()


def _run_worker(concurrency: int) -> None:
    from temporal_impl.worker import run_worker

    run_worker(concurrency)


def _run_sweep(older_than: float, once: bool) -> Sequence[str]:
    from temporal_impl.sweep import run_sweep

    return run_sweep(older_than, once)


def _looker() -> AbstractContextManager[tuple[str, Callable[[], Sight]]]:
    from temporal_impl.watch import looker

    return looker()


def _explain(error: Exception) -> str | None:
    from temporal_impl.connection import explain

    return explain(error)


app = make_app(
    "The voter rolls as Temporal workflows.",
    client_factory=_client,
    run_worker=_run_worker,
    run_sweep=_run_sweep,
    looker=_looker,
)

if __name__ == "__main__":
    log_to_stderr()
    try:
        run(app, "python -m temporal_impl", explain=_explain)
    except SystemExit as leaving:
        if leaving.code == 2:
            # The SDK's core can abort an interpreter that ends right after a refused connection.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(2)
        raise
