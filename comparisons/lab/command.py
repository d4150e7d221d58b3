"""`python -m comparisons faults`: run the lab, then tell."""

from __future__ import annotations

import typer
from rich.console import Console

from comparisons.export import write_whole
from comparisons.lab.export import as_json, dumps
from comparisons.lab.plan import LabPlan
from comparisons.lab.report import render
from comparisons.lab.results import Lab
from comparisons.lab.run import ran
from comparisons.lab.table import print_lab
from offcanvas.servers import ServerError


def run_faults(plan: LabPlan) -> int:
    """Run the lab; returns 0, or 1 when a goal was missed or a fault could not be injected."""
    try:
        lab = _run_and_write(plan)
    except ServerError as error:
        # Not the user's mistake, and more than a line: the end of the log comes with it.
        typer.echo(f"python -m comparisons: {error}", err=True)
        return 1
    print_lab(lab)
    console = Console()
    console.print(f"report: {plan.out / 'faults.html'}", highlight=False, soft_wrap=True)
    console.print(f"figures: {plan.out / 'faults.json'}", highlight=False, soft_wrap=True)
    return 0 if lab.reached else 1


def _run_and_write(plan: LabPlan) -> Lab:
    """A lab that is cut off leaves what it has found in faults.part.json."""
    part = plan.out / "faults.part.json"

    def keep(lab: Lab) -> None:
        plan.out.mkdir(parents=True, exist_ok=True)
        write_whole(part, dumps(as_json(lab)))

    with ran(plan, keep) as lab:
        data = as_json(lab)
        page = render(data)
        plan.out.mkdir(parents=True, exist_ok=True)
        write_whole(plan.out / "faults.json", dumps(data))
        write_whole(plan.out / "faults.html", page)
        part.unlink(missing_ok=True)
    return lab
