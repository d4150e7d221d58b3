"""Items and lanes."""

import pytest

from shared.contract import TaskSpan
from temporal_impl.spans import item_of, on_lanes


@pytest.mark.parametrize(
    ("arguments", "item"),
    [
        ([], "*"),
        ([{"run_id": "r"}], "*"),
        ([{"run_id": "r", "pages": [1]}], "*"),
        ([{"run_id": "r", "station_id": "A-1"}], "A-1"),
        ([{"run_id": "r", "center_id": "A"}], "A"),
        ([{"run_id": "r", "station_ids": ["A-1", "A-2", "B-1"]}], "A-1..B-1"),
        ([0], "0"),
        ([33], "33"),
    ],
)
def test_the_item_is_what_the_input_is_about(arguments: list[object], item: str) -> None:
    assert item_of(arguments) == item


def span(worker: str, start: float, end: float) -> TaskSpan:
    return TaskSpan("noop", "1", worker, None, start, end)


def test_what_overlaps_on_a_worker_gets_a_lane_of_its_own() -> None:
    spans = [span("a", 0, 4), span("a", 1, 2), span("b", 1, 3), span("a", 2, 3), span("a", 3, 9)]
    lanes = [(each.worker, each.started_at) for each in on_lanes(spans)]
    assert lanes == [("a#1", 0), ("a#2", 1), ("b#1", 1), ("a#2", 2), ("a#2", 3)]
