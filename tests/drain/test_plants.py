"""Each planted state is named, and the app is drained once it is gone."""

import json
import re
from pathlib import Path

import pytest

from offcanvas.drain.watch import look_twice, wait_until_drained
from tests.drain.plants import PLANTS, RABBITMQ

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "benchmarks" / "drain.json"


@pytest.mark.parametrize(
    ("_place", "plant"),
    [
        pytest.param(
            one.broker, one, id=one.name, marks=[pytest.mark.services] * (one.broker == RABBITMQ)
        )
        for one in PLANTS
    ],
    indirect=["_place"],
)
def test_no_while_it_is_there_and_yes_once_it_is_gone(stage, plant, tmp_path):
    with plant.plant(stage, tmp_path):
        found = look_twice(stage.app, 0.1)
        assert not found.safe
        details = {one.place: one.detail for one in found.waiting}
        assert re.search(plant.detail, details[plant.place])
    assert wait_until_drained(stage.app, 0.2, timeout=120).safe


def test_each_place_is_planted_where_it_is():
    from offcanvas.drain.findings import INFORMATIVE, Place

    planted = {one.place for one in PLANTS}
    # Of the workers Redis tells; a worker that stands still is found there as well.
    assert planted == set(Place) - INFORMATIVE - {Place.WORKERS}
    assert len(PLANTS) >= 14


def test_the_kept_proof_is_of_these_states():
    kept = json.loads(KEPT.read_text())
    assert [(one["broker"], one["state"]) for one in kept] == [
        (one.broker, one.state) for one in PLANTS
    ]
    assert all(one["places"] for one in kept)
