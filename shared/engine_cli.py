"""The command line of an implementation: the same four commands on every engine."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Annotated, NoReturn

import typer

from shared import metrics
from shared.cli import application, progress
from shared.contract import EngineClient, Health, Outcome
from shared.database import engine
from shared.errors import UsageError
from shared.limits import tell_limits
from shared.metrics.sight import Sight
from shared.recovery import OLDER_THAN
from shared.settings import settings

RunWorker = Callable[[int], None]
RunSweep = Callable[[float, bool], Sequence[str]]
Looker = Callable[[], AbstractContextManager[tuple[str, Callable[[], Sight]]]]


def make_app(
    purpose: str,
    client_factory: Callable[[], EngineClient],
    run_worker: RunWorker,
    run_sweep: RunSweep,
    looker: Looker,
) -> typer.Typer:
    """The commands `start`, `worker`, `sweep`, `health` and `watch` over one engine.

    Args:
        purpose: one line for `--help`.
        client_factory: makes the engine's client.
        run_worker: `run_worker(concurrency)` works in the foreground until SIGTERM.
        run_sweep: `run_sweep(older_than, once)` returns the ids of the runs that it re-queued
            where `once` is true, else it sweeps periodically, in the foreground until SIGTERM, or
            has the engine's server do so, and returns.
        looker: gives, for the length of a block, the engine's name and what looks at it.
    """
    app = application(purpose)

    @app.command()
    def start(
        variant: Annotated[
            str, typer.Argument(help="One of the ten variants, or noop:N, nap:N, fib33:N, fib10:N.")
        ],
        run_id: Annotated[
            str | None, typer.Option(help="Name of the run; the same name is the same run.")
        ] = None,
        wait: Annotated[bool, typer.Option("--wait", help="Wait for the end.")] = False,
        timeout: Annotated[float, typer.Option(help="Seconds to wait at the most.")] = 600.0,
    ) -> None:
        """Start a variant; prints the run and the engine's own id of the execution."""
        chosen = run_id or f"{variant.replace(':', '-')}-{time.time_ns() // 1_000_000}"
        client = client_factory()
        try:
            execution = client.start(variant, chosen)
            typer.echo(f"run {chosen}: {client.name} execution {execution}")
            if wait:
                _tell(_wait(client, execution, timeout))
        finally:
            client.close()

    @app.command()
    def worker(
        concurrency: Annotated[
            int | None,
            typer.Option(min=1, max=256, help="Steps at a time, each in a process of its own."),
        ] = None,
    ) -> None:
        """Work in the foreground until SIGTERM; the steps in hand are let end."""
        engine()  # an address that no step could use is told now, not by each of them
        if settings().metrics_port is not None:
            metrics.start(settings().metrics_port, settings().metrics_host)
        with leaving_on_sigterm():
            run_worker(settings().concurrency if concurrency is None else concurrency)

    @app.command()
    def sweep(
        once: Annotated[bool, typer.Option("--once", help="Sweep now and return.")] = False,
        older_than: Annotated[
            float, typer.Option(min=0.0, help="Seconds without progress before a run counts.")
        ] = OLDER_THAN,
    ) -> None:
        """Re-queue what the database says is missing: now, or from now on."""
        with nullcontext() if once else leaving_on_sigterm():
            swept = run_sweep(older_than, once)
        if once:
            typer.echo(f"re-queued {len(swept)} runs" + "".join(f"\n  {name}" for name in swept))

    @app.command()
    def health() -> None:
        """Look at server, workers, queues and stuck runs; exit 1 if anything is wrong."""
        client = client_factory()
        try:
            found = client.health()
        finally:
            client.close()
        typer.echo(_health_lines(found))
        raise typer.Exit(0 if found.healthy else 1)

    @app.command()
    def watch(
        port: Annotated[
            int | None,
            typer.Option(envvar="METRICS_PORT", min=1, max=65_535, help="Port for Prometheus."),
        ] = None,
    ) -> None:
        """Tell Prometheus what is to be seen of the engine as a whole; needs no worker."""
        chosen = settings()
        if port is None:
            raise UsageError("--port (or METRICS_PORT) has to say where Prometheus is to ask")
        if metrics.start(port, chosen.metrics_host) is None:
            raise typer.Exit(2)  # it has said why
        with leaving_on_sigterm(), looker() as (engine_name, look):
            tell_limits(engine_name)
            metrics.watch(engine_name, look, chosen.watch_every)
            typer.echo(f"http://{chosen.metrics_host}:{port}/metrics; Ctrl-C ends it")
            while True:
                time.sleep(3600)

    return app


@contextmanager
def leaving_on_sigterm() -> Iterator[None]:
    """Exit 0 on SIGTERM until the engine has a way of its own to end: nothing has been begun."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(client: EngineClient, execution: str, timeout: float) -> Outcome:
    try:
        with progress("Waiting for the end"):
            return client.wait(execution, timeout)
    except TimeoutError:
        typer.echo(f"not finished after {timeout:g} s: see `health`, or wait longer", err=True)
        raise typer.Exit(1) from None


def _tell(outcome: Outcome) -> None:
    if outcome.error_type is not None:
        typer.echo(f"{outcome.error_type}: {outcome.error_text}", err=True)
        raise typer.Exit(1)
    total = outcome.total_pages
    typer.echo("handed over" if total is None else f"total: {total}")


def _health_lines(found: Health) -> str:
    def or_unknown(value: int | None) -> str:
        return "unknown" if value is None else str(value)

    answers = "reachable" if found.reachable else "NOT REACHABLE"
    return "\n".join(
        [
            f"{found.engine}: {answers}, {found.detail}",
            f"workers: {', '.join(found.workers) or 'NONE'}",
            f"queued: {or_unknown(found.queued)}, running: {or_unknown(found.running)}",
            f"stuck: {', '.join(found.stuck) or 'none'}",
        ]
    )
