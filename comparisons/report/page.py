"""Put the page together."""

from __future__ import annotations

import base64
import gzip
import json
import statistics
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from comparisons.engines import NAMES
from comparisons.report import charts
from comparisons.results import FIGURES, Comparison
from comparisons.words import listed, seconds, sentences
from shared.variants import BY_NAME

FOLDER = Path(__file__).parent


def render(comparison: Comparison, *, faults: bool = False) -> str:
    """The report as one HTML document, about 2 MB of which most is the chart library.

    With `faults` it leads to the matrix of faults, `faults.html` beside it.
    """
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["seconds"] = _seconds
    templates.filters["median"] = statistics.median
    templates.filters["breakable"] = _breakable
    figures = _figures(comparison)
    return templates.get_template("page.html.j2").render(
        comparison=comparison,
        faults=faults,
        plan=comparison.plan,
        title=f"Voter rolls on {listed([NAMES[engine] for engine in comparison.plan.engines])}",
        names=NAMES,
        rows=FIGURES,
        teaches={name: variant.teaches for name, variant in BY_NAME.items()},
        sentences=sentences(comparison),
        figures=figures,
        figures_json=_embeddable(figures),
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup((FOLDER / "page.js").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        plotly=Markup(_packed_plotly()),  # noqa: S704 - letters and digits of base64
        expectations={job: _expected(comparison, job) for job in comparison.plan.jobs},
        most_tasks=charts.MOST_TASKS,
    )


def _figures(comparison: Comparison) -> dict[str, Any]:
    """The charts by the section they stand in; a section without data has no chart."""
    made: dict[str, Any] = {}
    if comparison.plan.variants:
        made["makespans"] = charts.makespans(comparison)
    if (grown := charts.growths(comparison)) is not None:
        made["growth"] = grown
    made["timelines"] = charts.timelines(comparison)
    made["parts"] = charts.parts(comparison)
    return made


def _expected(comparison: Comparison, job: str) -> dict[str, str]:
    """What each check of a job had to find, by its name; of the last engine, since Celery's
    answer to one variant differs.
    """
    runs = comparison.of(job, comparison.plan.engines[-1])
    return {check.name: check.expected for run in runs[:1] for check in run.verdict.checks}


def _embeddable(data: object) -> Markup:
    """JSON that may stand inside a script element, whatever the names in it are."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - made safe in this line


@cache
def _packed_plotly() -> str:
    """plotly.js, packed: a third of its 4.8 MB. The browser unpacks it, see page.js."""
    packed = gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode()


def _seconds(value: float | None) -> str:
    return "-" if value is None else seconds(value)


def _breakable(name: str) -> Markup:
    """A name that may be broken after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))
