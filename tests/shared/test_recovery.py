"""What the sweep is told: exactly what the database says is missing, of runs that stand still."""

import pytest

from shared import steps
from shared.database import transaction
from shared.models import PollingCenter, Voter, VoterRegistration
from shared.recovery import Gap, find_gaps

pytestmark = pytest.mark.usefixtures("database", "_rolls_here")


@pytest.fixture
def _rolls_here(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLS_DIR", str(tmp_path / "rolls"))


def register(center_id: str, *voter_ids: str) -> None:
    with transaction() as session:
        session.merge(PollingCenter(center_id=center_id, center_name=f"School {center_id}"))
        for voter_id in voter_ids:
            session.add(Voter(voter_id=voter_id, voter_name=f"Voter {voter_id}"))
            session.flush()
            session.add(VoterRegistration(voter_id=voter_id, center_id=center_id))


def gaps(engine: str = "temporal") -> list[Gap]:
    return find_gaps(engine, older_than=0)


def test_every_stage_of_a_chain_is_seen() -> None:
    register("A", "1")
    register("B", "2")
    steps.begin_run("r", "chain", "temporal")
    assert gaps() == [Gap("r", "chain", True, (), True, True)]
    steps.assign_all("r")
    assert gaps() == [Gap("r", "chain", False, ("A-1", "B-1"), True, True)]
    steps.generate_roll("r", "B-1")
    assert gaps() == [Gap("r", "chain", False, ("A-1",), True, True)]
    steps.generate_roll("r", "A-1")
    assert gaps() == [Gap("r", "chain", False, (), True, True)]
    steps.sum_pages("r", steps.printed_pages("r"))
    assert gaps() == [Gap("r", "chain", False, (), False, True)]
    steps.publish_summary("r")
    assert gaps() == []


def test_a_sum_that_is_not_that_of_the_rolls_is_a_gap() -> None:
    register("A", "1")
    register("B", "2")
    steps.begin_run("r", "chord_by_station", "temporal")
    steps.assign_all("r")
    pages = [steps.generate_roll("r", station) for station in ("A-1", "B-1")]
    steps.sum_pages("r", [*pages, pages[0]])
    assert gaps() == [Gap("r", "chord_by_station", False, (), True, False)]
    steps.sum_pages("r", pages)
    assert gaps() == []


def test_a_roll_that_vanished_from_the_disk_is_missing() -> None:
    register("A", "1")
    steps.begin_run("r", "group", "temporal")
    steps.assign_all("r")
    steps.generate_roll("r", "A-1")
    assert gaps() == []
    (steps.rolls_folder("r") / steps.roll_file_name("A-1")).unlink()
    assert [gap.rolls for gap in gaps()] == [("A-1",)]


def test_only_half_of_the_centers_assigned_is_a_gap() -> None:
    register("A", "1")
    register("B", "2")
    steps.begin_run("r", "all_in_one", "temporal")
    steps.assign_center("r", "A")
    assert [gap.assignment for gap in gaps()] == [True]


def test_a_run_at_work_and_a_run_of_another_engine_are_let_alone() -> None:
    register("A", "1")
    steps.begin_run("fresh", "chain", "temporal")
    assert find_gaps("temporal", older_than=60) == []
    assert gaps("prefect") == []


@pytest.mark.parametrize("variant", ["assign_stations_in_parallel", "error_in_header", "noop:3"])
def test_runs_that_owe_no_sum_lack_nothing(variant: str) -> None:
    register("A", "1")
    steps.begin_run("r", variant, "temporal")
    assert gaps() == []


def test_the_sum_that_celery_forbids_is_no_gap() -> None:
    register("A", "1")
    for engine in ("celery", "temporal"):
        steps.begin_run(engine, "parallel_with_join", engine)
        steps.assign_all(engine)
        steps.generate_roll(engine, "A-1")
    assert gaps("celery") == []
    assert [gap.summary for gap in gaps("temporal")] == [True]
