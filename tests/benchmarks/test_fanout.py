"""The benchmarks run to their ends; how fast depends on the machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SPREAD = r"\d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\)"


def run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "COLUMNS": "140"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.servers
def test_fanout_prints_a_row_for_each_kind_of_work(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    given = ("--members", "6", "--lone", "5", "--batch", "3", "--rounds", "1", "--keep", str(kept))
    done = run("benchmarks.fanout", "temporal", *given)
    assert done.returncode == 0, done.stderr
    for work in ("chord of 6", "5 alone"):
        assert re.search(rf"{work} +│ {SPREAD} +│ {SPREAD} +│ \d+\.\d\d +│", done.stdout)
    figures = json.loads(kept.read_text())["rows"]
    assert [one["work"] for one in figures] == ["5 alone", "chord of 6"]
    assert all(one["batch"] == "3" and len(one["kit"]) == 1 for one in figures)


@pytest.mark.servers
@pytest.mark.long
def test_scale_out_prints_a_row_for_each_side_and_number_of_workers() -> None:
    sides = ("--on", "temporal", "--on", "temporal-port")
    given = (*sides, "--workers", "1", "--workers", "2", "--members", "8")
    done = run("benchmarks.scale_out", *given, "--rounds", "1")
    assert done.returncode == 0, done.stderr
    for count in (1, 2):
        for side in ("temporal", "temporal-port"):
            assert re.search(rf"│ {count} +│ {side} +│ {SPREAD} +│ \d+\.\d\d +│", done.stdout)


@pytest.mark.servers
@pytest.mark.long
def test_lone_prefect_prints_a_row_for_each_way(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    given = ("--count", "3", "--rounds", "1", "--keep", str(kept))
    done = run("benchmarks.lone_prefect", *given)
    assert done.returncode == 0, done.stderr
    ways = [one["way"] for one in json.loads(kept.read_text())["rows"]]
    assert ways[0] == "Celery"
    assert len(ways) == 6
    for way in ways:
        assert re.search(rf"│ {way} +│ {SPREAD} +│ \d+\.\d +│", done.stdout)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("temporal", "--batch=many"), "--batch"),
        (("temporal", "--batch=0"), "--batch"),
        (("temporal", "--batch=-1"), "--batch"),
        (("prefect", "--way=activity"), "--way activity is for temporal"),
    ],
)
def test_misuse_is_one_line(words: tuple[str, ...], told: str) -> None:
    done = run("benchmarks.fanout", *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr
