"""The steps as every engine calls them: repeatable, and honest about what cannot be done."""

from pathlib import Path

import pytest

from shared import roll_book, steps
from shared.database import transaction
from shared.errors import RollUnderObjection, UnknownStation, UsageError
from shared.ledger import balance, effects
from shared.models import MAX_ID
from shared.roll_book import Row

RUN = "r1"


@pytest.fixture(autouse=True)
def rolls(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "rolls"
    monkeypatch.setenv("ROLLS_DIR", str(folder))
    return folder / RUN


def register(center_id: str, count: int) -> None:
    with transaction() as session:
        for n in range(count):
            row = Row(f"{center_id[:40]}/{n}", f"Zoë {n:04}", center_id, "École")
            roll_book.add_voter(session, row)


def executed() -> list[tuple[str, str, int]]:
    with transaction(read_only=True) as session:
        return [(e.step, e.item, e.attempt) for e in effects(session, RUN)]


def test_a_run_from_end_to_end(rolls: Path) -> None:
    register("A", 41)
    register("B", 1)
    with transaction() as session:
        roll_book.add_center(session, "C", "Nobody votes here")
    steps.begin_run(RUN, "chain", "celery")
    assert steps.list_centers() == ["A", "B", "C"]
    assert steps.assign_all(RUN) == 2
    assert steps.list_stations(RUN) == ["A-1", "B-1"]
    assert steps.missing_rolls(RUN) == ["A-1", "B-1"]
    pages = [steps.generate_roll(RUN, station) for station in steps.list_stations(RUN)]
    assert pages == [2, 1]
    assert sorted(path.name for path in rolls.iterdir()) == ["A-1.pdf", "B-1.pdf"]
    assert steps.missing_rolls(RUN) == []
    assert steps.sum_pages(RUN, pages) == steps.publish_summary(RUN) == 3
    assert executed() == [
        ("assign", "*", 1),
        ("generate", "A-1", 1),
        ("generate", "B-1", 1),
        ("sum", "*", 1),
        ("publish", "*", 1),
    ]
    with transaction(read_only=True) as session:
        assert balance(session, RUN).lost == frozenset()


def test_every_step_can_be_repeated(rolls: Path) -> None:
    register("A", 3)
    seen = []
    for attempt in (1, 2):
        steps.begin_run(RUN, "chain", "celery")
        stations = steps.assign_all(RUN, attempt=attempt)
        pages = steps.generate_roll(RUN, "A-1", attempt=attempt)
        total = steps.sum_pages(RUN, [pages], attempt=attempt)
        seen.append((stations, pages, total, (rolls / "A-1.pdf").read_bytes()))
    assert seen[0] == seen[1]
    with transaction(read_only=True) as session:
        assert set(balance(session, RUN).repeated.values()) == {1}


def test_an_empty_center_has_no_station() -> None:
    with transaction() as session:
        roll_book.add_center(session, "A", "Nobody votes here")
    steps.begin_run(RUN, "chord_by_center", "celery")
    assert steps.assign_center(RUN, "A") == 0
    assert steps.sum_pages(RUN, []) == 0


def test_an_unknown_station_leaves_nothing(rolls: Path) -> None:
    steps.begin_run(RUN, "chain", "celery")
    with pytest.raises(UnknownStation, match="run r1 has no station A-9"):
        steps.generate_roll(RUN, "A-9")
    assert executed() == []
    assert not rolls.exists()


def test_a_roll_under_objection_is_not_printed_and_not_missing(rolls: Path) -> None:
    register("A", 1)
    steps.begin_run(RUN, "error_in_header", "celery")
    steps.assign_all(RUN)
    steps.object_to(RUN, "A-1", "roll under objection")
    with pytest.raises(RollUnderObjection, match="station A-1: roll under objection"):
        steps.generate_roll(RUN, "A-1")
    assert steps.missing_rolls(RUN) == []
    assert not rolls.exists()


@pytest.mark.parametrize("run_id", ["", ".hidden", "../up", "a b", "x" * 65, "ä"])
def test_a_run_id_that_cannot_be_a_folder_is_refused(run_id: str) -> None:
    with pytest.raises(UsageError, match="run id"):
        steps.begin_run(run_id, "chain", "celery")


def test_a_run_id_is_not_used_twice_for_different_things() -> None:
    steps.begin_run(RUN, "chain", "celery")
    with pytest.raises(UsageError, match="'r1' is taken by chain on celery"):
        steps.begin_run(RUN, "chain", "prefect")


@pytest.mark.parametrize(
    "center_id",
    ["..", "a/b\\c", "*?:", "Ж" * MAX_ID, "😀" * MAX_ID, "%2F", "é", "e\u0301"],
    ids=lambda center_id: ascii(center_id[:4]),
)
def test_any_center_id_gives_a_file_in_the_run_s_folder(rolls: Path, center_id: str) -> None:
    register(center_id, 1)
    steps.begin_run(RUN, "chain", "celery")
    steps.assign_all(RUN)
    assert steps.generate_roll(RUN, f"{center_id}-1") == 1
    (only,) = rolls.iterdir()
    assert only.name == steps.roll_file_name(f"{center_id}-1")
    assert steps.missing_rolls(RUN) == []


def test_long_station_ids_that_differ_at_the_end_have_different_files() -> None:
    names = {steps.roll_file_name("Ж" * MAX_ID + f"-{number}") for number in range(1, 50)}
    assert len(names) == 49
    assert {len(name) for name in names} == {204}
