"""What an activity was about."""

import pytest

from temporal_impl.spans import item_of


@pytest.mark.parametrize(
    ("arguments", "item"),
    [
        ([], "*"),
        ([{"run_id": "r"}], "*"),
        ([{"run_id": "r", "pages": [1]}], "*"),
        ([{"run_id": "r", "station_id": "A-1"}], "A-1"),
        ([{"run_id": "r", "center_id": "A"}], "A"),
        ([{"run_id": "r", "station_ids": ["A-1", "A-2", "B-1"]}], "A-1..B-1"),
        ([0], "0"),
        ([33], "33"),
    ],
)
def test_the_item_is_what_the_input_is_about(arguments: list[object], item: str) -> None:
    assert item_of(arguments) == item
