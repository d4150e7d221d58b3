"""What the lab makes of alerts; the lab itself is in test_command.py."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from comparisons.lab.alerts import RULES, SHORTER, begins, shortened
from comparisons.lab.export import as_json
from comparisons.lab.table import print_lab
from tests.faults.samples import lab
from tests.services import unavailable


def test_every_duration_of_the_rules_is_shortened() -> None:
    long, short = RULES.read_text(encoding="utf-8"), shortened(RULES.read_text(encoding="utf-8"))
    assert "for: 1m" in long
    assert f"for: {60_000 // SHORTER}ms" in short
    assert "[5m]" in long
    assert f"[{300_000 // SHORTER}ms]" in short
    for rule in yaml.safe_load(short)["groups"][0]["rules"]:
        assert rule["for"].endswith("ms")
        assert "[5m]" not in rule["expr"]


@pytest.mark.services
def test_prometheus_takes_the_shortened_rules(tmp_path: Path) -> None:
    program = shutil.which("promtool")
    if program is None:
        unavailable("promtool", "no such command; apt-get install prometheus")
    file = tmp_path / "rules.yml"
    file.write_text(shortened(RULES.read_text(encoding="utf-8")))
    ran = subprocess.run(
        [program, "check", "rules", str(file)], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("moments", "began"),
    [
        ([], None),
        ([103.0, 104.0], 103.0),
        ([99.0, 100.0, 101.0, 102.0], None),  # it fired already
        ([100.0005, 101.0005], None),  # as Prometheus rounds the moment of the fault
        ([99.0, 105.0, 106.0], 105.0),  # it had stopped
        ([99.0, 100.0, 101.0, 117.0], 117.0),
    ],
)
def test_an_alert_counts_from_when_it_begins(moments: list[float], began: float | None) -> None:
    assert begins(moments, 100.0) == began


def test_the_summary_says_who_was_told_and_what_nobody_was() -> None:
    made = lab(spoiled=True)  # no alert fires on Prefect, which loses work here
    said = [sentence for sentence in made.sentences if "lert" in sentence]
    assert any("Temporal: an alert fired in" in s and "after 4.0 s (median)" in s for s in said)
    assert any("Prefect: an alert fired in 0 of" in s for s in said)
    (lost,) = [s for s in said if s.startswith("Every run that lost work")]
    assert "but these: F01" in lost
    told = lab()
    (lost,) = [s for s in told.sentences if s.startswith("Every run that lost work")]
    assert lost.endswith("without exception")


def test_what_came_late_without_an_alert_is_named() -> None:
    made = lab()
    number = next(
        number for number, one in enumerate(made.results)
        if (one.fault, one.profile) == ("F20", "prefect")
    )  # fmt: skip
    late = replace(made.results[number], completed=54.0)
    made.results[number : number + 2] = [late, replace(late, repetition=2, completed=52.0)]
    (said,) = [sentence for sentence in made.sentences if "more than 8 s late" in sentence]
    # It is meant to wait for 45 s: only one of the two is late.
    assert said.endswith(f"an alert told of all but these: F20 on Prefect ({late.phase})")
    loses = sum(one.profile == "celery-naive" for one in made.results)
    assert said.startswith(f"In {loses + 1} runs")
    assert "all were told" in " ".join(lab().sentences)


def test_the_matrix_has_them_and_says_where_nobody_watched() -> None:
    made = lab()
    squares = {(s["fault"], s["profile"]): s for s in as_json(made)["matrix"]}
    assert squares["F02", "temporal"]["alerts"] == {"WorkerGone": 2}
    assert squares["F02", "temporal"]["alerted"]["median"] == 4.0
    assert squares["F02", "prefect"]["alerts"] == {}
    output = io.StringIO()
    print_lab(made, Console(file=output))
    assert "WorkerGone 4.0 s" in output.getvalue()
    assert "no alert" in output.getvalue()
    made.results[:] = [replace(result, alerts=None) for result in made.results]
    assert as_json(made)["matrix"][0]["alerts"] is None
    assert "Whether an alert fired is not known: there was no Prometheus to watch" in made.sentences
