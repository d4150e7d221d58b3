"""Tables and the plot of docs/canvas.md about wide canvases come from kept results."""

import json
from pathlib import Path

import pytest

from docs.tools import wide
from docs.tools.monitoring import filled

ROOT = Path(__file__).parents[2]
AROUND = {
    "created": "2026-11-30T08:00:00+00:00",
    "environment": {"cores": 2, "cpu": "some CPU"},
    "load": 0.25,
}


@pytest.fixture
def kept(tmp_path):
    def write(name, rows):
        (tmp_path / f"{name}.json").write_text(json.dumps({**AROUND, "rows": rows}))
        return tmp_path

    return write


def test_the_page_has_what_is_kept():
    page = (ROOT / "docs" / "canvas.md").read_text(encoding="utf-8")
    assert filled(page, wide.TABLES) == page


def test_the_plot_is_that_of_the_kept_figures():
    there = wide.PLOT.read_text(encoding="utf-8") if wide.PLOT.exists() else None
    assert wide.plot() == there


def test_what_was_not_measured_is_said_with_the_command(tmp_path):
    assert "`python -m benchmarks.fanout prefect` measures them" in wide.fanout(tmp_path)
    assert wide.scale(tmp_path).endswith("`python -m benchmarks.scale_out` measures them.")
    assert wide.lone(tmp_path).endswith("`python -m benchmarks.lone_prefect` measures them.")
    assert wide.plot(tmp_path) is None


def test_a_row_has_medians_with_least_and_most_and_their_ratio(kept):
    row = {"work": "chord of 10", "celery": [2.0, 1.0, 3.0], "kit": [1.0, 1.5, 0.5]}
    wider = {"work": "chord of 99", "celery": [], "kit": [4.0], "growth": [0.0]}
    folder = kept("fanout_temporal", [{**row, "growth": [3e6, 9e6, 1e6]}, wider])
    text = wide.fanout(folder)
    assert (
        "| Temporal, chord of 10 | 2.00 (1.00 to 3.00) | 1.00 (0.50 to 1.50) | 0.50 | 9 |" in text
    )
    assert "| Temporal, chord of 99 | not run | 4.00 (4.00 to 4.00) | - | 0 |" in text
    assert "Temporal: 30 November 2026, 2 cores (some CPU), load 0.2 at the end" in text


def test_ways_of_tasks_sent_alone_are_told_beside_the_first_row(kept):
    rows = [
        {"way": "Celery", "count": 9, "seconds": [2.0, 1.0, 3.0]},
        {"way": "kit, bursts", "count": 9, "seconds": [5.0]},
    ]
    text = wide.lone(kept("lone_prefect", rows))
    assert text.startswith("| 9 tasks | seconds | ratio |")
    assert "| Celery | 2.00 (1.00 to 3.00) | 1.0 |" in text
    assert "| kit, bursts | 5.00 (5.00 to 5.00) | 2.5 |" in text


def test_time_that_falls_in_proportion_is_1(kept):
    rows = [
        {"on": "celery", "workers": 1, "members": 8, "naps": 0.1, "seconds": [8.0, 8.2, 7.8]},
        {"on": "celery", "workers": 4, "members": 8, "naps": 0.1, "seconds": [2.5]},
        {"on": "prefect-port", "workers": 1, "members": 8, "naps": 0.1, "seconds": [9.0]},
        {"on": "prefect-port", "workers": 4, "members": 8, "naps": 0.1, "seconds": [3.0]},
    ]
    folder = kept("scale_out", rows)
    text = wide.scale(folder)
    assert "| 8 tasks of 0.1 s on | 1 worker, s | 4 workers, s | of linear |" in text
    assert "| Celery | 8.00 (7.80 to 8.20) | 2.50 (2.50 to 2.50) | 0.80 |" in text
    assert "| Prefect, by hand | 9.00 (9.00 to 9.00) | 3.00 (3.00 to 3.00) | 0.75 |" in text
    drawn = wide.plot(folder)
    for name in ("in proportion", "Celery", "Prefect, by hand"):
        assert drawn.count(f">{name}</text>") == 1
    assert drawn.count("<polyline") == 3
