"""`python -m prefect_impl start | worker | sweep | health`."""

from __future__ import annotations

from collections.abc import Sequence

from shared.cli import run
from shared.contract import EngineClient
from shared.engine_cli import make_app

# Prefect reads its settings when it is imported, and takes three seconds for it: not before the
# environment is set up, and not for `--help`.


def _client() -> EngineClient:
    from prefect_impl.environment import configure

    configure()
    from prefect_impl.client import Client

    return Client()


def _run_worker(concurrency: int) -> None:
    from prefect_impl.environment import configure

    configure()
    from prefect_impl.worker import run_worker

    run_worker(concurrency)


def _run_sweep(older_than: float, once: bool) -> Sequence[str]:
    from prefect_impl.environment import configure

    configure()
    from prefect_impl.sweep import run_sweep

    return run_sweep(older_than, once)


app = make_app(
    "The voter rolls as Prefect flows.",
    client_factory=_client,
    run_worker=_run_worker,
    run_sweep=_run_sweep,
)

if __name__ == "__main__":
    run(app, "python -m prefect_impl")
