"""`python -m celery_impl start | worker | sweep | health | watch | drain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import typer

from shared.cli import run
from shared.contract import EngineClient
from shared.engine_cli import make_app
from shared.metrics.sight import Sight


# Celery and the app are imported by the commands, not before: the app reads the settings, and what
# is wrong with those is told in one line only from inside a command.
def _client() -> EngineClient:
    from celery_impl.client import Client

    return Client()


def _run_worker(concurrency: int) -> None:
    from celery_impl.worker import run_worker

    run_worker(concurrency)


def _run_sweep(older_than: float, once: bool) -> Sequence[str]:
    from celery_impl.sweep import run_sweep

    return run_sweep(older_than, once)


def _looker() -> AbstractContextManager[tuple[str, Callable[[], Sight]]]:
    from celery_impl.watch import looker

    return looker()


app = make_app("The voter rolls as Celery canvases.", _client, _run_worker, _run_sweep, _looker)


@app.command()
def drain() -> None:
    """Tell whether it is safe to deploy changed task signatures: exit 0 if no message is left."""
    from celery_impl.app import connect
    from celery_impl.health import load

    found = load(connect())
    unknown = "unknown: a consumer of the queue does not answer"
    typer.echo(
        f"queued: {found.queued}\n"
        f"unacknowledged: {unknown if found.unacknowledged is None else found.unacknowledged}\n"
        f"running: {found.active}, reserved: {found.reserved}, scheduled: {found.scheduled}\n"
        f"delayed in the broker: {found.delayed}\n"
        f"open chords: {'unknown' if found.open_chords is None else found.open_chords}\n"
        f"workers asked: {', '.join(found.workers) or 'none answered'}"
    )
    typer.echo("safe to deploy" if found.idle else "NOT safe to deploy: let the workers go on")
    raise typer.Exit(0 if found.idle else 1)


def _explain(error: Exception) -> str | None:
    from kombu.exceptions import OperationalError

    from shared.settings import masked, settings

    if isinstance(error, OperationalError):
        broker = f"CELERY_BROKER_URL={masked(settings().celery_broker_url or '')}"
        return f"{broker} does not answer: {error}; start the broker"
    return None


if __name__ == "__main__":
    run(app, "python -m celery_impl", explain=_explain)
