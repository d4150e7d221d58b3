"""The voter rolls moved live: what is kept of it, and its picture in the documentation."""

import json
from pathlib import Path

from comparisons.moved import PHASES, Moved, picture

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "benchmarks" / "moved.json"


def kept():
    raw = json.loads(KEPT.read_text())
    return [Moved(**{**one, "phases": tuple(map(tuple, one["phases"]))}) for one in raw]


def test_every_roll_was_printed_once():
    for one in kept():
        assert (one.lost, one.repeated, one.drained) == (0, 0, True)
        assert one.rolls > 0
        assert [name for name, *_ in one.phases] == [name for _, name in PHASES]
        shares = {name: there / (here + there) for name, here, there in one.phases}
        assert (shares["0 %"], shares["100 %"], shares["rolled back"]) == (0, 1, 0)
        assert 0 < shares["50 %"] < 1


def test_the_picture_is_of_what_is_kept():
    shown = (ROOT / "docs" / "images" / "moved.svg").read_text(encoding="utf-8")
    assert shown == picture(kept())
