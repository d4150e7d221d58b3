"""Start, wait and read the records, on a real server and a real worker."""

import hashlib
from collections import Counter
from uuid import UUID

import pytest

from prefect_impl import spans
from prefect_impl.names import TASK_RUNS
from prefect_impl.spans import read_spans
from shared.contract import Outcome
from shared.errors import UsageError
from shared.steps import ASSIGN, GENERATE, ON_ERROR, SUM, printed_pages
from shared.variants import OBJECTION
from tests.prefect_impl.stack import WITHIN, Stack, executed, wait_until

pytestmark = pytest.mark.servers

STATIONS = 20  # see SIZES in conftest.py


def test_a_second_start_is_the_same_flow_run(stack: Stack) -> None:
    first = stack.run("chord_by_station", "twice")
    before = executed("twice")
    second = stack.client.start("chord_by_station", "twice")
    assert second == first
    assert stack.client.wait(second, WITHIN).total_pages == sum(printed_pages("twice"))
    assert executed("twice") == before
    assert Counter(step for step, _ in before) == {ASSIGN: 1, GENERATE: STATIONS, SUM: 1}
    assert set(before.values()) == {1}


def test_the_error_reaches_the_caller_as_it_was_raised(stack: Stack) -> None:
    execution = stack.client.start("error_in_header", "objected")
    outcome = stack.client.wait(execution, WITHIN)
    assert outcome.error_type == "RollUnderObjection"
    assert outcome.error_text is not None
    assert outcome.error_text.endswith(OBJECTION)
    done = executed("objected")
    digest = hashlib.sha256(outcome.error_text.encode()).hexdigest()[:16]
    assert done[ON_ERROR, digest] == 1
    assert Counter(step for step, _ in done) == {ASSIGN: 1, GENERATE: STATIONS - 1, ON_ERROR: 1}


def test_spans_that_the_server_has_lost_are_not_waited_for_without_end(stack: Stack) -> None:
    execution = stack.run("all_in_one", "lost-spans")
    found = stack.client.spans(execution)
    with stack.client._client() as server:
        server.update_flow_run_labels(UUID(execution), {TASK_RUNS: len(found) + 1})
        assert read_spans(server, UUID(execution), standstill=1.0) == found


def test_spans_are_complete_and_on_as_many_lanes_as_processes(stack: Stack) -> None:
    found = stack.client.spans(stack.run("chord_by_station", "spans"))
    tasks = Counter(span.task for span in found)
    assert tasks == {"assign_all": 1, "generate_roll": STATIONS, "sum_pages": 1}
    rolls = {span.item for span in found if span.task == "generate_roll"}
    assert rolls == {item for step, item in executed("spans") if step == GENERATE}
    assert {span.worker.rpartition("#")[2] for span in found} == {"1", "2"}
    assert [span.started_at for span in found] == sorted(span.started_at for span in found)
    assert all(span.started_at <= span.finished_at for span in found)


def test_a_group_is_handed_over_and_its_rolls_appear(stack: Stack) -> None:
    execution = stack.client.start("group", "handed")
    assert stack.client.wait(execution, WITHIN) == Outcome()
    wait_until(lambda: len(printed_pages("handed")) == STATIONS, "all rolls")
    tasks = Counter(span.task for span in stack.client.spans(execution))
    assert tasks["generate_roll"] == STATIONS


def test_workloads_count_their_steps(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "PAGE", 5)
    execution = stack.client.start("noop:12", "wide")
    assert stack.client.wait(execution, WITHIN).total_pages == 12
    assert sorted(int(span.item) for span in stack.client.spans(execution)) == list(range(12))
    execution = stack.client.start("fib10:3", "deep")
    assert stack.client.wait(execution, WITHIN).total_pages == 3


def test_nothing_there_to_wait_for(stack: Stack) -> None:
    with pytest.raises(UsageError, match="is not an id of a Prefect flow run"):
        stack.client.wait("nonsense", 1)
