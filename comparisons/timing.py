"""`python -m comparisons timing`: compare, then tell."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from comparisons import stage
from comparisons.compare import check, compared
from comparisons.export import as_json, dumps, write_whole
from comparisons.plan import Plan
from comparisons.report import render
from comparisons.results import Comparison
from comparisons.table import print_table
from offcanvas.servers import ServerError


def run_timing(plan: Plan) -> int:
    """Run the comparison; returns 0, or 1 when a run did not do what it had to.

    Raises:
        UsageError: something is wrong with the plan; nothing has been started or written.
    """
    check(plan)
    try:
        comparison, results = _compare_and_write(plan)
    except (ServerError, stage.WorkerError) as error:
        # Not the user's mistake, and more than a line: the end of the log comes with it.
        typer.echo(f"python -m comparisons: {error}", err=True)
        return 1
    _tell(plan, results)
    return 0 if comparison.agrees else 1


def _compare_and_write(plan: Plan) -> tuple[Comparison, dict[str, Any]]:
    with compared(plan) as (comparison, rolls):
        results = as_json(comparison)
        page = render(comparison, faults=(plan.out / "faults.html").is_file())
        plan.out.mkdir(parents=True, exist_ok=True)
        if plan.keep_rolls:
            _keep(rolls, plan.out / "rolls")
        write_whole(plan.out / "results.json", dumps(results))
        write_whole(plan.out / "report.html", page)
    return comparison, results


def _keep(rolls: Path, target: Path) -> None:
    """Put this comparison's rolls in the place of those of an earlier one."""
    shutil.rmtree(target, ignore_errors=True)
    if rolls.is_dir():
        shutil.move(rolls, target)


def _tell(plan: Plan, results: dict[str, Any]) -> None:
    console = Console()
    print_table(results)
    out = plan.out
    console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
    console.print(f"figures: {out / 'results.json'}", highlight=False, soft_wrap=True)
    if plan.keep_rolls:
        console.print(f"rolls: {out / 'rolls'}", highlight=False, soft_wrap=True)
