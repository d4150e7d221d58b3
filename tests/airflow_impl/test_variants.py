"""The variants on a real Airflow: the same totals, files, bytes, assignments and executed steps.

Two of them where all tests are run; all of them, on every awkward roll book, by `make test
ARGS=tests/airflow_impl`. What they are compared with is what `tests/equivalence` compares the other
engines with: one file a station, byte for byte that of a run without an engine.
"""

import pytest

from airflow_impl.registry import ANSWERS
from shared.variants import VARIANTS
from tests.equivalence.stack import Stack
from tests.equivalence.test_variants import _state

NAMES = [variant.name for variant in VARIANTS]
SHORT = ["chord_by_station", "error_in_header"]

pytestmark = [pytest.mark.servers, pytest.mark.airflow]


def test_every_variant_has_a_dag() -> None:
    assert set(NAMES) <= set(ANSWERS)


@pytest.mark.parametrize("variant", SHORT)
def test_the_variant_does_what_was_asked(stack: Stack, variant: str) -> None:
    stack.load("few")
    ended = stack.run(variant)["airflow"]
    assert not ended.verdict.failures
    assert len(ended.verdict.checks) >= 7


def test_the_records_tell_every_step(stack: Stack) -> None:
    stack.load("few")
    run_id = stack.run("chord_by_station")["airflow"].run_id
    spans = stack.clients["airflow"].spans(f"chord_by_station/{run_id}")
    tasks = [span.task for span in spans]
    stations = list(stack.truth.stations)
    assert sorted(tasks) == ["assign_all", *["generate_roll"] * len(stations), "sum_pages"]
    # The order is that in which they began, and two begin together.
    assert sorted(span.item for span in spans if span.task == "generate_roll") == sorted(stations)
    assert all(span.started_at <= span.finished_at for span in spans)
    assert all(span.queued_at is not None for span in spans)


@pytest.mark.long
@pytest.mark.parametrize("book", ["edges", "nobody"])
@pytest.mark.parametrize("variant", NAMES)
def test_on_every_awkward_book(stack: Stack, book: str, variant: str) -> None:
    stack.load(book)
    ended = stack.run(variant)["airflow"]
    assert not ended.verdict.failures
    assert len(ended.verdict.checks) >= 7


@pytest.mark.long
@pytest.mark.parametrize("variant", NAMES)
def test_running_it_again_changes_nothing(stack: Stack, variant: str) -> None:
    stack.load("few")
    first = stack.run(variant)["airflow"]
    before = _state(first.run_id), first.outcome
    again = stack.start_and_wait(variant)["airflow"]
    assert (_state(again.run_id), again.outcome) == before
