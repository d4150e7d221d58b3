"""What overlaps on a worker gets a lane of its own."""

from shared.contract import TaskSpan
from shared.lanes import on_lanes


def _span(worker: str, start: float, end: float) -> TaskSpan:
    return TaskSpan("t", "i", worker, None, start, end)


def test_overlapping_spans_take_the_first_free_lane() -> None:
    spans = [_span("w", 2, 3), _span("w", 0, 2), _span("w", 0.5, 4), _span("w", 3, 5)]
    lanes = [(span.started_at, span.worker) for span in on_lanes(spans)]
    assert lanes == [(0, "w#1"), (0.5, "w#2"), (2, "w#1"), (3, "w#1")]


def test_each_worker_has_lanes_of_its_own() -> None:
    spans = [_span("a", 0, 4), _span("a", 1, 2), _span("b", 1, 3), _span("a", 2, 3)]
    lanes = [(span.worker, span.started_at) for span in on_lanes(iter(spans))]
    assert lanes == [("a#1", 0), ("a#2", 1), ("b#1", 1), ("a#2", 2)]
