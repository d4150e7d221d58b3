import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparisons.decomposition import decompose
from shared.contract import TaskSpan


def span(queued: float | None, started: float, finished: float) -> TaskSpan:
    return TaskSpan("generate", "x", "w", queued, started, finished)


def test_sequential_steps_are_cut_as_the_published_benchmark_does() -> None:
    # queued 1-2, runs 2-5, nothing 5-6, queued 6-7, runs 7-9, result reaches the caller at 10
    parts = decompose([span(1, 2, 5), span(6, 7, 9)], begin=0, end=10, concurrency=1)
    assert (parts.assignment, parts.execution, parts.transition) == (2, 5, 3)
    assert parts.busy == pytest.approx(0.5)


def test_waiting_beside_a_running_task_is_execution() -> None:
    parts = decompose([span(0, 0, 6), span(0, 4, 10)], begin=0, end=10, concurrency=2)
    assert (parts.assignment, parts.execution, parts.transition) == (0, 10, 0)
    assert parts.busy == pytest.approx(12 / 20)


def test_what_lies_outside_the_makespan_does_not_count() -> None:
    parts = decompose([span(None, -1, 1), span(1, 9, 12)], begin=0, end=10, concurrency=1)
    assert (parts.assignment, parts.execution, parts.transition) == (8, 2, 0)


def test_without_records_all_is_transition() -> None:
    parts = decompose([], begin=0, end=2, concurrency=2)
    assert (parts.assignment, parts.execution, parts.transition, parts.busy) == (0, 0, 2, 0)


moments = st.floats(min_value=-5, max_value=15, allow_nan=False)


@given(st.lists(st.tuples(moments, moments, moments), max_size=8))
def test_the_parts_add_up_to_the_makespan(times: list[tuple[float, float, float]]) -> None:
    spans = [span(*sorted(each)) for each in times]
    parts = decompose(spans, begin=0, end=10, concurrency=3)
    assert parts.assignment + parts.execution + parts.transition == pytest.approx(10)
    assert min(parts.assignment, parts.execution, parts.transition) >= -1e-9
