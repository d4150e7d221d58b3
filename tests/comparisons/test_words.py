from dataclasses import replace

import pytest

from comparisons.results import Spread
from comparisons.words import apart, listed, seconds, sentences, times
from tests.comparisons.samples import MAKESPANS, comparison, run, spoiled


def said(makespans: dict[tuple[str, str], list[float]], begins: str) -> str:
    found = [s for s in sentences(comparison(makespans)) if s.startswith(begins)]
    assert len(found) == 1, sentences(comparison(makespans))
    return found[0]


def test_agreement_names_the_size_of_the_work() -> None:
    assert said(MAKESPANS, "All 24 runs").startswith(
        "All 24 runs did what they had to: 2,000 voters in 5 stations, 53 pages"
    )


def test_a_run_that_disagrees_is_named_and_its_time_left_out() -> None:
    bad = spoiled(comparison(MAKESPANS), 6)
    assert sentences(bad)[0] == (
        "1 of 24 runs did not do what they had to: chord_by_station on Celery. "
        "Their times are not used."
    )
    spread = bad.makespan("chord_by_station", "celery")
    assert spread == Spread(median=pytest.approx(0.7), min=0.6, max=0.8)


def test_the_fastest_is_named_with_the_ratio() -> None:
    assert said(MAKESPANS, "chord_by_station took") == (
        "chord_by_station took Celery 700 ms, Temporal 4.20 s (6.0 times as long); medians."
    )


def test_overlapping_ranges_are_no_difference() -> None:
    close = MAKESPANS | {("chord_by_station", "temporal"): [0.75, 0.9, 1.0]}
    assert "Temporal 900 ms (ranges overlap: no difference)" in said(close, "chord_by_station took")


def test_parallel_pays_or_does_not() -> None:
    assert said(MAKESPANS, "Celery: all_in_one").endswith("parallel pays: 3.0 times as fast.")
    assert said(MAKESPANS, "Temporal: all_in_one").endswith(
        "parallel does not pay here: it takes 2.0 times as long."
    )
    same = MAKESPANS | {("chord_by_station", "temporal"): [2.0, 2.1, 2.2]}
    assert said(same, "Temporal: all_in_one").endswith("no difference beyond the spread.")


def test_the_run_without_an_engine_is_the_yardstick() -> None:
    assert said(MAKESPANS, "One process") == (
        "One process without any engine needs 1.10 s for the same rolls; against that, "
        "chord_by_station with 2 at a time is 1.6 times as fast on Celery and 3.8 times as long "
        "on Temporal."
    )


def test_overhead_is_the_slope_between_the_ends() -> None:
    assert said(MAKESPANS, "Each further") == (
        "Each further no-op step of a fan-out adds: Celery 1.0 ms and Temporal 10.0 ms."
    )


def test_where_the_time_went_is_a_share_of_the_makespan() -> None:
    assert "Celery 70% and Temporal 70%" in said(MAKESPANS, "Part of chord_by_station")


def test_work_after_the_end_is_named_when_it_matters() -> None:
    whole = comparison(MAKESPANS)
    assert not [s for s in sentences(whole) if "went on working" in s]
    late = run("noop:100", "temporal", 1.0, after=5.0)
    runs = [late if r.job == "noop:100" and r.engine == "temporal" else r for r in whole.runs]
    assert (
        "Temporal went on working for 5.00 s after the end of noop:100, which took 1.00 s; "
        "that is not in its makespan."
    ) in sentences(replace(whole, runs=runs))


def test_a_comparison_of_one_engine_compares_no_engines() -> None:
    alone = comparison({("chain", "celery"): [1.0]}, engines="celery", variants="chain")
    assert all("times" not in sentence for sentence in sentences(alone))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123.4, "123 s"),
        (12.34, "12.3 s"),
        (1.234, "1.23 s"),
        (0.1234, "123 ms"),
        (0.0123, "12.3 ms"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


def test_words() -> None:
    assert times(12.3) == "12 times"
    assert times(1.26) == "1.3 times"
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]
    assert apart(Spread(1, 1, 2), Spread(4, 3, 5))
    assert not apart(Spread(1, 1, 3), Spread(4, 3, 5))


def test_one_run_of_each_is_said_to_tell_no_spread() -> None:
    once = comparison({job: seconds[:1] for job, seconds in MAKESPANS.items()}, repeat=1)
    assert sentences(once)[1].startswith("One run of each: ")
    assert not any("One run of each" in each for each in sentences(comparison(MAKESPANS)))


def test_a_machine_that_others_used_is_named_as_one() -> None:
    busy = replace(comparison(MAKESPANS), others_cores=1.26)
    assert sentences(busy)[1].startswith("Other programs kept 1.3 of the machine's 2 cores busy")
    idle = replace(busy, others_cores=0.04)
    assert not any("Other programs" in each for each in sentences(idle))
