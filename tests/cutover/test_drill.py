"""The drill, short."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "benchmarks" / "cutover_drill.json"
HARM = ("lost", "twice", "on_both")


def drill(*words):
    command = [sys.executable, "-W", "ignore", "-m", "tests.cutover.drill", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900
    )


@pytest.mark.services
@pytest.mark.parametrize(
    ("engine", "claims"),
    [("temporal", "postgresql"), pytest.param("prefect", "redis", marks=pytest.mark.long)],
)
def test_a_short_drill(engine, claims, tmp_path):
    out = tmp_path / "rows.json"
    words = ("--engine", engine, "--claims", claims, "--times", "4", "--out", str(out))
    ran = drill(*words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = json.loads(out.read_text())
    assert [row["killed"] for row in rows] == [4] * 6
    assert not any(row[name] for row in rows for name in HARM)


def test_the_kept_report_has_nothing_lost_and_nothing_twice():
    rows = json.loads(KEPT.read_text())
    assert rows
    assert not any(row[name] for row in rows for name in HARM)
    combinations = {(row["engine"], row["claims"]) for row in rows}
    assert len(combinations) == 4
    for each in combinations:
        these = [row for row in rows if (row["engine"], row["claims"]) == each]
        assert [row["point"] for row in these] == [1, 2, 3, 4, 5, 6]
        assert len({row["killed"] for row in these}) == 1
