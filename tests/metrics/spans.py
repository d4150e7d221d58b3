"""The spans that a caller and workers have written, and whether they are one trace."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from comparisons.stage import ROOT

#: Attempts at each task of ``tests.metrics.traced``.
RUNS = Counter({"double": 3 + 3 + 1, "flaky": 2, "replaced": 1, "total": 1, "starts": 1})


def of_line(line: str) -> dict:
    span = json.loads(line)
    return {
        "name": span["name"],
        "trace": span["context"]["trace_id"].removeprefix("0x"),
        "id": span["context"]["span_id"],
        "parent": span["parent_id"],
    }


def assert_one_trace(engine: str, file: Path) -> None:
    """A caller sends its canvases to ``engine``, and everything that runs hangs on its span."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.metrics.traced", engine],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    *values, trace = ran.stdout.split()
    assert values == ["20", "8", "10"]
    spans = [span for span in map(of_line, file.read_text().splitlines()) if span["trace"] == trace]
    runs = [span["name"] for span in spans if span["name"].startswith("run/")]
    assert Counter(name.rpartition(".")[2] for name in runs) == RUNS
    by_id = {span["id"]: span for span in spans}
    for span in spans:
        top = span
        while top["parent"] is not None:
            top = by_id[top["parent"]]
        assert top["name"] == "caller", span
