"""The commands of docs/preflight.md print what the page shows; its figures are kept results."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.preflight import KEPT, Engine, drawn, planned, reckoned, summary

PAGE = (Path(__file__).parents[2] / "docs" / "preflight.md").read_text(encoding="utf-8")
CONSOLES = re.findall(r"```console\n\$ offcanvas (.*?)\n(.*?)```", PAGE, re.DOTALL)
MAIN = "from offcanvas.cli import main; main()"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def numbers(text):
    return [float(one.replace(",", "")) for one in NUMBER.findall(text)]


@pytest.mark.parametrize(("command", "shown"), CONSOLES)
def test_the_page_shows_what_is_printed(command, shown, tmp_path):
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "shop.py").write_text(source, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-c", MAIN, *shlex.split(command)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.stderr == ""
    assert NUMBER.sub("", ran.stdout) == NUMBER.sub("", shown)
    # Ids are new each time, and some compress better than others.
    assert numbers(ran.stdout) == pytest.approx(numbers(shown), rel=0.1, abs=0.11)
    assert ran.returncode == (0 if ": fits\n" in shown else 1)


@pytest.mark.parametrize("engine", Engine)
def test_the_figures_of_the_page_are_kept_results(engine):
    rows = json.loads((KEPT / f"preflight_{engine}.json").read_text())["rows"]
    assert len(rows) == 60
    assert summary(rows) in PAGE


def test_kept_results_hold_what_was_promised():
    rows = json.loads((KEPT / "preflight_temporal.json").read_text())["rows"]
    for name in ("events", "bytes"):
        assert all(row["most"][name] >= row["real"][name] for row in rows)
        off = [abs(row["expected"][name] - row["real"][name]) / row["real"][name] for row in rows]
        assert sorted(off)[int(0.9 * len(off))] < 0.1


def test_kept_results_of_prefect_are_what_was_reckoned():
    for row in json.loads((KEPT / "preflight_prefect.json").read_text())["rows"]:
        off = {name: abs(row["expected"][name] - real) for name, real in row["real"].items()}
        assert all(off[name] <= 0.1 * row["real"][name] for name in off), row["number"]
        expected, _ = reckoned(Engine.PREFECT, planned(drawn(row["number"])))
        assert {name: expected[name] for name in off} == row["expected"]


def test_what_is_reckoned_today_is_what_was_kept():
    """The paces and sizes of the code have not moved away from the results."""
    kept = json.loads((KEPT / "preflight_temporal.json").read_text())["rows"]
    for row in kept[6:40:5]:
        expected, most = reckoned(Engine.TEMPORAL, planned(drawn(row["number"])))
        assert expected["events"] == row["expected"]["events"]
        assert most["events"] == row["most"]["events"]
        assert expected["bytes"] == pytest.approx(row["expected"]["bytes"], rel=0.02)
