"""Each variant on a real worker: the answer, the ledger, the files."""

from collections import Counter

import pytest

from shared import steps
from shared.contract import Outcome
from shared.variants import JOIN_FORBIDDEN, OBJECTION, VARIANTS, Answer
from shared.workloads import parse
from tests.celery_impl.places import Place, executed, printed

pytestmark = pytest.mark.servers

STATIONS = ("A-1", "A-2", "B-1")
ROLLS = Counter({(steps.GENERATE, station): 1 for station in STATIONS})
ALL = Counter({(steps.ASSIGN, "*"): 1})
BY_CENTER = Counter({(steps.ASSIGN, center): 1 for center in "ABC"})
SUM = Counter({(steps.SUM, "*"): 1})
PAGES = 13 + 1 + 1  # 500, 1 and 40 voters at 40 a page

LEDGER = {
    "all_in_one": BY_CENTER + ROLLS + SUM,
    "parallel_with_join": ALL + ROLLS,
    "chord_by_center": BY_CENTER + ROLLS + SUM,
    "assign_stations_in_parallel": BY_CENTER,
    "starmap": ALL + ROLLS + SUM,
    "chord_by_station": ALL + ROLLS + SUM,
    "chunks": ALL + ROLLS + SUM,
    "chain": ALL + ROLLS + SUM + Counter({(steps.PUBLISH, "*"): 1}),
    "group": ALL + ROLLS,
}
TOTALS = [each.name for each in VARIANTS if each.answer is Answer.TOTAL and not each.celery_error]


@pytest.mark.parametrize("variant", sorted(LEDGER))
def test_answer_and_ledger(work: Place, variant: str, eventually) -> None:
    run_id, _, outcome = work.run(variant)
    if variant in TOTALS:
        assert outcome == Outcome(total_pages=PAGES)
    elif variant == "parallel_with_join":
        assert outcome.error_type == "RuntimeError"
        assert outcome.error_text.startswith(JOIN_FORBIDDEN)
    else:
        assert outcome == Outcome()
    eventually(lambda: executed(run_id) == LEDGER[variant])
    assert set(printed(run_id)) == (
        set() if variant == "assign_stations_in_parallel" else {f"{each}.pdf" for each in STATIONS}
    )


def test_a_failing_member_is_told_once_and_its_siblings_run(work: Place) -> None:
    run_id, _, outcome = work.run("error_in_header")
    text = f"station A-1: {OBJECTION}"
    assert outcome == Outcome(
        error_type="RollUnderObjection", error_text=text, wrapped_in="ChordError"
    )
    done = executed(run_id)
    callbacks = Counter({key: n for key, n in done.items() if key[0] == steps.ON_ERROR})
    assert list(callbacks.values()) == [1]
    siblings = Counter({(steps.GENERATE, station): 1 for station in STATIONS[1:]})
    assert done - callbacks == ALL + siblings
    steps.record_error(run_id, text)  # leaves the same item only if it was told the same text
    assert max(executed(run_id).values()) == 2


def test_the_same_run_again_changes_no_file(work: Place) -> None:
    run_id, _, first = work.run("chord_by_station")
    before = printed(run_id)
    second = work.client.wait(work.client.start("chord_by_station", run_id), 300)
    assert second == first
    assert printed(run_id) == before
    assert set(executed(run_id).values()) == {2}


@pytest.mark.parametrize("workload", ["noop:1", "noop:20", "fib10:1", "fib10:3"])
def test_a_workload_counts_its_steps(work: Place, workload: str) -> None:
    assert work.run(workload)[2] == Outcome(total_pages=parse(workload)[1])
