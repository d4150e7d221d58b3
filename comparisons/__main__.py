"""`python -m comparisons`: the implementations side by side.

timing     run them, check them, compare them; table, results.json, report.html
faults     inject faults: what is lost, repeated, recovered; table, faults.json, faults.html
serve      start the embedded servers for work by hand
settings   what is in force
versions   the machine and the packages
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared.cli import application, run

app = application("Run the voter rolls on Celery, Prefect, Temporal and Airflow, and compare them.")


@app.command()
def timing(
    voters: Annotated[
        int | None, typer.Option(help="Voters to make up.", show_default="10000")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the made-up voters.", show_default="2038")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="Real voters instead: voter_id,voter_name,center_id,center_name."),
    ] = None,
    variants: Annotated[
        str | None, typer.Option(help="Variants, comma-separated, or none.", show_default="all ten")
    ] = None,
    workloads: Annotated[
        str | None,
        typer.Option(
            help="Workloads without a domain, noop:N, nap:N, fib33:N, fib10:N, or none.",
            show_default="noop:100,noop:500",
        ),
    ] = None,
    engines: Annotated[
        str | None,
        typer.Option(
            help="Engines, comma-separated: celery, prefect, temporal, airflow.",
            show_default="all but airflow",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Steps that each worker executes at a time.", show_default="cores"),
    ] = None,
    repeat: Annotated[int, typer.Option(help="Counted runs of each.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("comparisons-out"),
    keep_rolls: Annotated[
        bool, typer.Option("--keep-rolls", help="Keep the PDFs below --out.")
    ] = False,
) -> None:
    """Run every variant on every engine, check that they agree, and compare their times."""
    from comparisons.plan import make_plan
    from comparisons.timing import run_timing

    plan = make_plan(
        voters=voters,
        seed=seed,
        csv=csv,
        variants=variants,
        workloads=workloads,
        engines=engines,
        concurrency=concurrency,
        repeat=repeat,
        out=out,
        keep_rolls=keep_rolls,
    )
    raise typer.Exit(run_timing(plan))


@app.command()
def faults(
    faults: Annotated[
        str | None, typer.Option(help="Faults, comma-separated.", show_default="all")
    ] = None,
    profiles: Annotated[
        str | None,
        typer.Option(
            help="Of celery-naive, celery-hardened, celery-hardened-redis, prefect, temporal, "
            "airflow, offcanvas-prefect, offcanvas-temporal.",
            show_default="all but airflow",
        ),
    ] = None,
    repeat: Annotated[
        int, typer.Option(help="Runs of each fault on each profile, at its phases in turn.")
    ] = 3,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("comparisons-out"),
) -> None:
    """Inject faults into runs of the workflow, and tell what was lost, repeated and recovered."""
    from comparisons.lab.command import run_faults
    from comparisons.lab.plan import make_plan

    plan = make_plan(faults=faults, profiles=profiles, repeat=repeat, out=out)
    raise typer.Exit(run_faults(plan))


@app.command()
def serve(
    engines: Annotated[
        str | None,
        typer.Option(
            help="Engines, comma-separated: celery, prefect, temporal, airflow.",
            show_default="all but airflow",
        ),
    ] = None,
) -> None:
    """Start the embedded servers and print the settings that lead to them; Ctrl-C ends them."""
    from comparisons.plan import choose_engines
    from comparisons.serve import run_serve

    raise typer.Exit(run_serve(choose_engines(engines)))


@app.command()
def settings() -> None:
    """Show every setting: its value in force, where it comes from, what it means."""
    from shared.settings_table import settings_in_force

    for setting in settings_in_force():
        typer.echo(setting)


@app.command()
def versions() -> None:
    """Show the machine and the versions of what takes part."""
    from comparisons.machine import environment

    for name, value in environment().items():
        if isinstance(value, dict):
            for package, version in value.items():
                typer.echo(f"{package:14} {version}")
        else:
            typer.echo(f"{name:14} {value}")


if __name__ == "__main__":
    run(app, "python -m comparisons")
