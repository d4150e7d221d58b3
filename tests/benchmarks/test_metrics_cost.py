"""The benchmark of metrics runs to its end, and its kept figures keep the promise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "benchmarks" / "results" / "metrics_cost.json"
PAGE = ROOT / "docs" / "monitoring.md"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.metrics_cost", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.servers
@pytest.mark.parametrize("engine", ["memory", "celery"])
def test_it_keeps_figures_of_both_sides(engine: str, tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    ran = run(engine, "--width", "5", "--rounds", "1", "--json", str(kept))
    assert ran.returncode == 0, ran.stderr
    (cost,) = json.loads(kept.read_text())["costs"]
    assert cost["engine"] == engine
    assert all(0 < one["min"] <= one["median"] <= one["max"] for one in cost["seconds"])


def test_an_unknown_engine_is_one_line() -> None:
    ran = run("nowhere")
    assert (ran.returncode, ran.stderr) == (
        2,
        "nowhere: there are memory, celery, temporal, prefect\n",
    )


def test_the_page_has_the_kept_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for cost in json.loads(KEPT.read_text())["costs"]:
        assert f"| {cost['engine'].capitalize()} |" in text
        assert f"| {cost['ratio']:.3f} |" in text
        assert f"| {cost['cpu_ratio']:.3f} |" in text
