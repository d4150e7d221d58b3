"""`python -m prefect_impl start | worker | sweep | health | watch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from shared.cli import run
from shared.contract import EngineClient
from shared.engine_cli import make_app
from shared.metrics.sight import Sight

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


def _looker() -> AbstractContextManager[tuple[str, Callable[[], Sight]]]:
    from prefect_impl.environment import configure

    configure()
    from prefect_impl.watch import looker

    return looker()


app = make_app(
    "The voter rolls as Prefect flows.",
    client_factory=_client,
    run_worker=_run_worker,
    run_sweep=_run_sweep,
    looker=_looker,
)

if __name__ == "__main__":
    run(app, "python -m prefect_impl")
