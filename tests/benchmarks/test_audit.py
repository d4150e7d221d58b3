"""The benchmark measures what it says; how fast that is depends on the machine."""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.audit import measure
from benchmarks.audit_tree import generate
from offcanvas.audit.rules import all_rules
from offcanvas.audit.scan import scan


def test_the_generated_tree_is_read_whole(tmp_path: Path) -> None:
    written = generate(tmp_path, 5_000)
    answer = scan(tmp_path, [all_rules()["CEL206"]], jobs=1)
    assert answer.lines == written >= 5_000
    assert len(answer.tasks) == 12 * sum(1 for p in tmp_path.rglob("jobs_*.py"))
    assert answer.unreadable == ()


def test_runs_are_interleaved() -> None:
    order: list[str] = []

    def run(name: str) -> tuple[float, float, int]:
        order.append(name)
        return 1.0, 0.5, 1

    series = measure({"a": lambda: run("a"), "b": lambda: run("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert [len(one.seconds) for one in series] == [2, 2]
    assert [one.effort for one in series] == [0.5, 0.5]


def test_it_prints_medians_and_ratios() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit", "--generate", "500", "--rounds", "1"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"files, \d[\d,]* lines", done.stdout)
    assert re.search(r"audit, cold +\d+\.\d\ds", done.stdout)
    assert "audit, cold is" in done.stdout
