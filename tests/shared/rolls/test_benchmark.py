from __future__ import annotations

import re
from importlib.util import find_spec

from typer.testing import CliRunner

from shared.rolls.benchmark import LOCALES, VOTERS_PER_STATION, app, stations


def test_a_run_prints_a_rate_for_each_script() -> None:
    done = CliRunner().invoke(app, ["--runs", "2", "--stations", "1"])

    assert done.exit_code == 0, done.output
    for name in LOCALES:
        rows = re.findall(rf"{name} +│ (?:the clock|CPU time) +│(.*)", done.stdout)
        assert len(rows) == 2
        for row in rows:
            figures = re.findall(r"[\d,]+", row)
            middle, least, most = (int(figure.replace(",", "")) for figure in figures)
            assert 0 < least <= middle <= most
    assert "2 interleaved runs of 1 stations (13 pages) each." in done.stdout
    said = "No comparison with matplotlib" in done.stdout
    assert said is (find_spec("matplotlib") is None)


def test_a_bad_flag_is_refused() -> None:
    done = CliRunner().invoke(app, ["--runs", "0"])

    assert done.exit_code == 2
    assert "Invalid value for '--runs'" in done.stderr


def test_the_same_seed_makes_the_same_voters_in_the_script_promised() -> None:
    (roll,) = stations(LOCALES["Arabic"], 1, seed=3)

    assert stations(LOCALES["Arabic"], 1, seed=3) == [roll]
    assert len(roll.entries) == VOTERS_PER_STATION
    # Faker falls back to English where a locale has no names of its own.
    assert not any(entry.voter_name.isascii() for entry in roll.entries)
    assert len({entry.voter_name for entry in roll.entries}) > 0.9 * VOTERS_PER_STATION
