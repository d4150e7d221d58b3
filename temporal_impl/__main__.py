"""`python -m temporal_impl start | worker | sweep | health`."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared.cli import run
from shared.contract import EngineClient
from shared.engine_cli import make_app


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


def _explain(error: Exception) -> str | None:
    from temporal_impl.connection import explain

    return explain(error)


app = make_app(
    "The voter rolls as Temporal workflows.",
    client_factory=_client,
    run_worker=_run_worker,
    run_sweep=_run_sweep,
)

if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    run(app, "python -m temporal_impl", explain=_explain)
