"""Which repairs a sweep starts."""

from airflow_impl.repairs import repairs_of
from shared.recovery import Gap

LACKS_ROLLS = Gap("r", "chord_by_station", False, ("C1-1",), True, False)


def repairs(states: dict[str, str], gap: Gap = LACKS_ROLLS) -> list[str]:
    found = repairs_of([gap], lambda dag_id, run_id: states.get(f"{dag_id}/{run_id}"))
    return [repair.dag_run_id for repair in found]


def test_a_run_that_was_never_started_is_repaired() -> None:
    assert repairs({}) == ["r~1"]


def test_a_run_that_is_at_work_is_let_alone() -> None:
    assert repairs({"chord_by_station/r": "running"}) == []
    assert repairs({"chord_by_station/r": "success", "rolls/r": "queued"}) == []
    assert repairs({"chord_by_station/r": "failed", "repair/r~1": "running"}) == []


def test_each_repair_of_a_run_has_a_number_of_its_own() -> None:
    assert repairs({"chord_by_station/r": "failed", "repair/r~1": "failed"}) == ["r~2"]


def test_a_repair_makes_up_what_the_gap_names() -> None:
    nothing_assigned = Gap("r", "chain", True, (), True, True)
    (repair,) = repairs_of([nothing_assigned], lambda *_: None)
    assert repair.parameters == {
        "run_id": "r", "assign": True, "sum_pages": True, "publish": True,
    }  # fmt: skip
    rolls_only = Gap("r", "group", True, (), False, False)
    (repair,) = repairs_of([rolls_only], lambda *_: None)
    assert repair.parameters["sum_pages"] is False
