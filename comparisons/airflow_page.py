"""`python -m comparisons.airflow_page > docs/airflow.md`: the page on Airflow, from kept results.

What was measured is kept in comparisons/kept/, without the runs' timelines, and every figure of the
page comes from there:

    python -m comparisons.airflow_page keep timing comparisons-out/results.json
    python -m comparisons.airflow_page keep faults comparisons-out/faults.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from comparisons.engines import NAMES
from comparisons.export import dumps, write_whole
from comparisons.figures import read_results, text_of
from comparisons.lab import docs
from comparisons.published import SECONDS, beside
from comparisons.words import listed, seconds
from shared.cli import application, run
from shared.errors import UsageError

KEPT = Path(__file__).with_name("kept")
TEMPLATE = Path(__file__).with_name("airflow_page.md.j2")
# Of a run, what the page does not show and what makes the file large.
LEFT_OUT = ("timeline", "logs")
STEP = 60.0  # seconds of a step beside which an engine's own part is small

app = application("The page on Airflow in the documentation, from kept results.")

Results = Mapping[str, Any]


class Kind(StrEnum):
    """What was measured."""

    TIMING = "timing"
    FAULTS = "faults"

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return KEPT / f"airflow-{self}.json"


def page() -> str:
    """docs/airflow.md."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 - Markdown, of our own figures
    )
    timing = read_results(Kind.TIMING.file)
    faults = _kept_faults()
    return templates.get_template(TEMPLATE.name).render(
        timing=text_of(timing),
        published="\n".join(beside(timing)),
        published_airflow=listed(
            [f"{seconds(figures['airflow'])} for {job}" for job, figures in SECONDS.items()]
        ),
        faults=None if faults is None else docs.table(faults),
        **_verdict(timing, faults),
    )


def _kept_faults() -> Results | None:
    """The lab's results; None where the lab has not been run for the page."""
    if not Kind.FAULTS.file.is_file():
        return None
    found: Results = json.loads(Kind.FAULTS.file.read_text(encoding="utf-8"))
    return found


def _verdict(timing: Results, faults: Results | None) -> dict[str, str]:
    """The figures that say when Airflow is the better choice, in words."""
    noop = next(name for name in timing["plan"]["workloads"] if name.startswith("noop:"))
    steps, at_a_time = int(noop.partition(":")[2]), timing["plan"]["concurrency"]
    nothing, work = _rows(timing, noop), _rows(timing, "chord_by_station")
    each = {name: row["makespan"]["median"] / steps for name, row in nothing.items()}
    applies = [
        square for square in (faults or {"matrix": []})["matrix"]
        if not square["meaningless"] and square["runs"]
    ]  # fmt: skip
    well = sum(not square["missed"] for square in applies)
    return {
        "noop": noop,
        "each_step": _each(each),
        "each_cpu": _each(
            {name: _sum(row, "cpu_seconds") / steps for name, row in nothing.items()}
        ),
        "waits": _each({name: row["makespan"]["median"] for name, row in work.items()}),
        "memory": listed(
            [
                f"{NAMES[name]} {_sum(row, 'peak_memory_bytes') / 2**20:.0f} MB"
                for name, row in work.items()
            ]
        ),
        "share_of_minutes": f"{each['airflow'] / (STEP / at_a_time + each['airflow']):.0%}",
        "faults_well": f"{well} of {len(applies)}",
    }


def _rows(results: Results, job: str) -> dict[str, Any]:
    return {row["engine"]: row for row in results["summary"] if row["job"] == job}


def _sum(row: Results, figure: str) -> float:
    found = [row[f"{part}_{figure}"] for part in ("workers", "servers")]
    return float(sum(spread["median"] for spread in found if spread is not None))


def _each(figures: Mapping[str, float]) -> str:
    return listed([f"{NAMES[name]} {seconds(value)}" for name, value in figures.items()])


@app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """Print the page."""
    if context.invoked_subcommand is None:
        typer.echo(page(), nl=False)


@app.command()
def keep(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    file: Annotated[Path, typer.Argument(help="results.json of timing, or faults.json.")],
) -> None:
    """Keep the results of a comparison, or of the lab, for the page."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        runs = found["runs"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{file}: these are no results of timing or faults") from None
    found["runs"] = [
        {name: value for name, value in each.items() if name not in LEFT_OUT} for each in runs
    ]
    write_whole(kind.file, dumps(found))
    typer.echo(f"{kind.file.name}: {len(runs)} runs")


if __name__ == "__main__":
    run(app, "python -m comparisons.airflow_page")
