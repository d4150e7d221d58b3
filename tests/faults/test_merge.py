"""Runs of the lab that are put together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from comparisons.lab.docs import read, table
from comparisons.lab.export import SCHEMA, as_json, dumps
from comparisons.lab.merge import main, merged
from comparisons.lab.plan import LabPlan
from comparisons.lab.results import Lab
from shared.errors import UsageError
from tests.faults.samples import lab


def part(faults: tuple[str, ...], profiles: tuple[str, ...]) -> Lab:
    made = lab(spoiled=True)
    made.plan = LabPlan(faults, profiles, made.plan.repeat, made.plan.out)
    made.results = [one for one in made.results if one.fault in faults and one.profile in profiles]
    return made


PROFILES = ("celery-naive", "prefect", "temporal")


def test_parts_are_what_one_run_would_have_been(tmp_path: Path) -> None:
    whole = as_json(part(("F01", "F02"), PROFILES))
    files = []
    for fault in ("F02", "F01"):
        for profile in reversed(PROFILES):
            files.append(tmp_path / f"{fault}-{profile}.json")
            files[-1].write_text(dumps(as_json(part((fault,), (profile,)))))
    out = tmp_path / "all.json.gz"
    assert main([str(out), *map(str, files)]) == 0
    found = read(out)
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(found)
    for same in ("profiles", "faults", "matrix", "runs", "command", "reached", "sentences"):
        assert found[same] == json.loads(json.dumps(whole[same])), same
    assert (found["parts"], found["seconds"]) == (6, 600.0)
    assert "Run in 6 parts, one after the other" in table(found)
    assert "All profiles ran at the same time" in table(whole)


def test_a_lab_that_was_cut_off_is_a_part() -> None:
    cut = part(("F01", "F02"), PROFILES)
    cut.results = [one for one in cut.results if (one.fault, one.profile) != ("F02", "prefect")]
    assert "Prefect: cut off before F02" in cut.sentences
    assert "| not run |" in table(as_json(cut))
    found = merged([as_json(cut), as_json(part(("F02",), ("prefect",)))])
    assert found["matrix"] == as_json(part(("F01", "F02"), PROFILES))["matrix"]
    assert not any("cut off" in sentence for sentence in found["sentences"])


def test_what_are_no_parts_of_one_run_is_refused() -> None:
    first = as_json(part(("F01",), ("temporal",)))
    with pytest.raises(UsageError, match="F01 on temporal is in two of the parts"):
        merged([first, first])
    other = as_json(part(("F02",), ("temporal",)))
    with pytest.raises(UsageError, match="the parts differ in repeat"):
        merged([first, {**other, "repeat": 3}])
    with pytest.raises(UsageError, match="no part has F01 on prefect, F02 on temporal"):
        merged([first, as_json(part(("F02",), ("prefect",)))])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name OUT.json.gz, and at least two faults.json"),
        (["out.json.gz", "none.json", "Makefile"], "none.json: no such file"),
        (["out.json.gz", "Makefile", "Makefile"], "not what the lab has written"),
    ],
)
def test_misuse_is_one_line_and_keeps_nothing(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr() == ("", f"python -m comparisons.lab.merge: {said}\n")
    assert not Path("out.json.gz").exists()
