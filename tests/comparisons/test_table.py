import io
from dataclasses import replace

import pytest
from rich.console import Console

from comparisons.export import as_json
from comparisons.plan import ENGINES
from comparisons.results import Comparison
from comparisons.table import print_table
from offcanvas.meter import Usage
from tests.comparisons.samples import MAKESPANS, comparison, spoiled


def printed(whole: Comparison, width: int | None = None) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=width is not None)
    print_table(as_json(whole), console)
    return out.getvalue()


def test_every_job_and_engine_has_its_row() -> None:
    lines = printed(comparison(MAKESPANS)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == "chord_by_station")
    assert lines[start + 1].split()[:7] == ["Celery", "700", "ms", "600", "ms", "800", "ms"]
    assert lines[start + 2].split()[:3] == ["Temporal", "4.20", "s"]
    assert lines[start + 2].split()[-3:] == ["3", "of", "3"]


def test_it_fits_a_narrow_terminal() -> None:
    lines = printed(comparison(MAKESPANS), width=72).splitlines()
    assert max(len(line) for line in lines if "ms" in line and "\x1b" not in line) <= 72
    assert "makespan" in "\n".join(lines)


@pytest.mark.parametrize("width", [None, *range(72, 140, 3)])
def test_nothing_is_cut_at_any_width(width: int | None) -> None:
    widest = {("assign_stations_in_parallel", e): [10.6, 0.999, 14.5] for e in ENGINES}
    whole = comparison(widest, variants="assign_stations_in_parallel", engines=None)
    whole = replace(whole, runs=[replace(run, workers=Usage(12.34, 2**30)) for run in whole.runs])
    assert "…" not in printed(whole, width)


def test_what_disagrees_is_red_and_said() -> None:
    out = printed(spoiled(comparison(MAKESPANS), 0), width=200)
    red = [line for line in out.splitlines() if "\x1b[31m" in line]
    assert any("2 of 3" in line for line in red)
    assert any("expected total 53, found total <52>" in line for line in red)
