"""Each check is shown to fail when the thing it looks at is wrong."""

from collections.abc import Callable
from math import ceil
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from comparisons import baseline
from comparisons.measure import forget
from comparisons.reference import Reference, assignments_in_database, read_reference
from comparisons.verify import Verdict, failed, verify_variant, verify_workload
from shared import steps
from shared.contract import Outcome
from shared.database import transaction
from shared.fake import sized
from shared.models import Effect, PrintedRoll, StationAssignment, Summary
from shared.roll_book import fill
from shared.settings import settings
from shared.variants import OBJECTION

SIZES = (0, 39, 81, 1_001)
STATIONS = 5
PAGES = 1 + 3 + 13 + 13 + 1
RUN = "checked"


@pytest.fixture
def truth(sqlite_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reference:
    monkeypatch.setenv("ROLLS_DIR", str(tmp_path / "rolls"))
    settings.cache_clear()
    with transaction() as session:
        fill(session, sized(SIZES))
    baseline.run_steps("plain")
    found = read_reference(baseline.rolls_of("plain"))
    forget("plain")
    return found


def chord_by_station() -> Outcome:
    """The steps of the variant, in this process."""
    steps.begin_run(RUN, "chord_by_station", "temporal")
    steps.assign_all(RUN)
    pages = [steps.generate_roll(RUN, station) for station in steps.list_stations(RUN)]
    return Outcome(total_pages=steps.sum_pages(RUN, pages))


def verdict(truth: Reference, outcome: Outcome, variant: str = "chord_by_station") -> Verdict:
    return verify_variant(variant, "temporal", RUN, outcome, truth)


def names(of: Verdict) -> list[str]:
    return [check.name for check in of.failures]


def test_the_truth_is_counted_without_the_steps(truth: Reference) -> None:
    assert truth.voters == sum(SIZES)
    assert len(truth.centers) == len(SIZES)
    assert len(truth.stations) == STATIONS
    assert (
        truth.total_pages
        == PAGES
        == sum(ceil(min(500, size - first) / 40) for size in SIZES for first in range(0, size, 500))
    )


def test_a_right_run_agrees(truth: Reference) -> None:
    outcome = chord_by_station()
    assert verdict(truth, outcome).failures == ()
    assert assignments_in_database(RUN) == truth.assignments


def in_database(statement: object) -> None:
    with transaction() as session:
        session.execute(statement)  # type: ignore[call-overload] # any DML of the table below


def spoil_a_file() -> None:
    file = sorted(steps.rolls_folder(RUN).iterdir())[0]
    file.write_bytes(file.read_bytes() + b"\n")


def remove_a_file() -> None:
    sorted(steps.rolls_folder(RUN).iterdir())[0].unlink()


def add_a_file() -> None:
    (steps.rolls_folder(RUN) / "stray.pdf").touch()


SPOILERS: dict[str, tuple[Callable[[], object], list[str]]] = {
    "a byte more": (spoil_a_file, ["rolls"]),
    "a file gone": (
        remove_a_file,
        ["files", "rolls"],
    ),
    "a file too many": (
        add_a_file,
        ["files", "rolls"],
    ),
    "pages of a roll": (
        lambda: in_database(update(PrintedRoll).values(pages=PrintedRoll.pages + 1)),
        ["pages printed"],
    ),
    "digest of a roll": (
        lambda: in_database(update(PrintedRoll).values(sha256="0" * 64)),
        ["rolls in the database"],
    ),
    "a voter elsewhere": (
        lambda: in_database(
            update(StationAssignment).where(StationAssignment.position == 39).values(position=600)
        ),
        ["assignments"],
    ),
    "a step not done": (
        lambda: in_database(delete(Effect).where(Effect.step == steps.SUM)),
        ["ledger"],
    ),
    "a step done twice": (lambda: steps.sum_pages(RUN, [PAGES]), ["ledger"]),
    "another sum": (
        lambda: in_database(update(Summary).values(total_pages=1)),
        ["fan-in in the database"],
    ),
}


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_what_is_wrong_is_found(truth: Reference, spoiler: str) -> None:
    outcome = chord_by_station()
    spoil, expected = SPOILERS[spoiler]
    spoil()
    assert names(verdict(truth, outcome)) == expected


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(),
        Outcome(total_pages=PAGES - 1),
        Outcome(error_type="ValueError", error_text="x"),
    ],
)
def test_a_wrong_answer_is_found(truth: Reference, outcome: Outcome) -> None:
    chord_by_station()
    assert names(verdict(truth, outcome)) == ["answer"]


def test_an_objection_bars_one_roll_and_reaches_the_caller(truth: Reference) -> None:
    first = truth.stations[0]
    text = f"station {first}: {OBJECTION}"
    steps.begin_run(RUN, "error_in_header", "temporal")
    steps.assign_all(RUN)
    for station in truth.stations[1:]:
        steps.generate_roll(RUN, station)
    steps.record_error(RUN, text)
    wrapped = Outcome(error_type="RollUnderObjection", error_text=text, wrapped_in="ChordError")
    assert verdict(truth, wrapped, "error_in_header").failures == ()
    steps.record_error(RUN, text)
    assert names(verdict(truth, wrapped, "error_in_header")) == ["ledger"]


def test_a_chain_must_publish(truth: Reference) -> None:
    outcome = chord_by_station()
    assert names(verdict(truth, outcome, "chain")) == ["ledger", "summary"]
    steps.publish_summary(RUN)
    assert verdict(truth, outcome, "chain").failures == ()


def test_celery_must_forbid_the_join(truth: Reference) -> None:
    steps.begin_run(RUN, "parallel_with_join", "celery")
    steps.assign_all(RUN)
    for station in truth.stations:
        steps.generate_roll(RUN, station)
    forbidden = Outcome(
        error_type="RuntimeError",
        error_text="Never call result.get() within a task!\nSee the documentation",
    )
    checked = verify_variant("parallel_with_join", "celery", RUN, forbidden, truth)
    assert checked.failures == ()
    assert names(verify_variant("parallel_with_join", "temporal", RUN, forbidden, truth)) == [
        "answer",
        "ledger",
        "fan-in in the database",
    ]


def test_the_ledger_of_each_shape(truth: Reference) -> None:
    by_center = truth.executed_for("chord_by_center", "celery")
    assert by_center["assign", truth.centers[0]] == 1
    assert by_center.total() == len(SIZES) + STATIONS + 1
    assert truth.executed_for("assign_stations_in_parallel", "celery").total() == len(SIZES)
    assert truth.executed_for("group", "celery").total() == 1 + STATIONS
    assert truth.executed_for("chain", "celery").total() == 1 + STATIONS + 2
    assert truth.executed_for("parallel_with_join", "celery").total() == 1 + STATIONS
    assert truth.executed_for("parallel_with_join", "prefect").total() == 1 + STATIONS + 1


def test_without_stations_there_is_nothing_to_object_to() -> None:
    nobody = Reference(centers=("C1",), center_of={}, voters_of={}, rolls={})
    assert nobody.executed_for("error_in_header", "celery") == {("assign", "*"): 1, ("sum", "*"): 1}
    assert nobody.total_pages == 0


def test_a_workload_answers_with_its_size() -> None:
    assert verify_workload("noop:5", Outcome(total_pages=5), executed=6).agrees
    assert names(verify_workload("noop:5", Outcome(total_pages=4), executed=6)) == ["answer"]
    assert names(verify_workload("fib10:5", Outcome(total_pages=5), executed=4)) == [
        "executed steps"
    ]


def test_a_run_without_an_end_agrees_with_nothing() -> None:
    assert names(failed("TimeoutError: 900 s")) == ["end of the run"]
    assert not Verdict(()).agrees
