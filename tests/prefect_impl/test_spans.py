"""Lanes; records of real runs are read in test_client.py."""

from prefect_impl.spans import on_lanes
from shared.contract import TaskSpan


def _span(start: float, end: float, worker: str = "w") -> TaskSpan:
    return TaskSpan("t", "i", worker, None, start, end)


def test_overlapping_spans_take_the_first_free_lane() -> None:
    spans = [_span(2, 3), _span(0, 2), _span(0.5, 4), _span(3, 5)]
    lanes = [(span.started_at, span.worker) for span in on_lanes(iter(spans))]
    assert lanes == [(0, "w#1"), (0.5, "w#2"), (2, "w#1"), (3, "w#1")]


def test_each_worker_has_lanes_of_its_own() -> None:
    lanes = {span.worker for span in on_lanes(iter([_span(0, 1, "a"), _span(0, 1, "b")]))}
    assert lanes == {"a#1", "b#1"}
