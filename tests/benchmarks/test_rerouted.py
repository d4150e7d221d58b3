"""The benchmark runs to its end on either engine; how fast depends on the machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.servers
@pytest.mark.parametrize("engine", ["temporal", pytest.param("prefect", marks=pytest.mark.long)])
def test_it_prints_a_row_for_each_canvas(engine: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rerouted", engine, "--width", "3", "--rounds", "1"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spread = r"\d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\)"
    for canvas in ("chord_by_station", "noop:3"):
        assert re.search(rf"{canvas} +│ {spread} +│ {spread} +│ \d+\.\d\d +│", done.stdout)
    assert re.search(r"A chord over 10,000 is lifted in \d+\.\d\d s", done.stdout)
