import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from comparisons.export import SCHEMA, as_json, dumps, write_whole
from comparisons.results import FIGURES
from comparisons.results import Run as ResultRun
from comparisons.verify import failed
from tests.comparisons.samples import MAKESPANS, comparison, spoiled

SCHEMA_TEXT = json.loads(SCHEMA.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA_TEXT, format_checker=FormatChecker())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA_TEXT)


def test_results_keep_to_the_schema() -> None:
    data = json.loads(dumps(as_json(comparison(MAKESPANS))))
    VALIDATOR.validate(data)
    row = next(r for r in data["summary"] if (r["job"], r["engine"]) == ("noop:100", "celery"))
    assert row["makespan"] == {"median": 0.2, "min": 0.2, "max": 0.2}
    assert row["agreeing"] == row["runs"] == 3
    assert data["agrees"] is True


def test_a_disagreeing_run_is_in_the_results_and_not_in_the_summary() -> None:
    data = json.loads(dumps(as_json(spoiled(comparison(MAKESPANS), 0))))
    VALIDATOR.validate(data)
    assert data["agrees"] is False
    assert data["runs"][0]["agrees"] is False
    assert data["runs"][0]["checks"][0]["found"] == "total <52>"
    assert data["summary"][0]["agreeing"] == 2
    assert data["summary"][0]["makespan"]["min"] == 2.1


def test_a_run_without_an_end_keeps_to_the_schema() -> None:
    whole = comparison({})
    whole.runs.append(ResultRun(1, "all_in_one", "celery", failed("TimeoutError")))
    data = json.loads(dumps(as_json(whole)))
    VALIDATOR.validate(data)
    assert data["summary"][0]["makespan"] is None


def test_the_schema_documents_every_figure() -> None:
    rows = SCHEMA_TEXT["properties"]["summary"]["items"]["properties"]
    for name in FIGURES:
        assert len(rows[name]["description"]) > 20, name


@pytest.mark.parametrize("spoil", ["format", "runs", "sentences"])
def test_the_schema_refuses_results_without_a_part(spoil: str) -> None:
    data = json.loads(dumps(as_json(comparison(MAKESPANS))))
    del data[spoil]
    assert not VALIDATOR.is_valid(data)


def test_a_run_is_one_line() -> None:
    text = dumps(as_json(comparison(MAKESPANS)))
    assert sum(line.startswith('  {"repetition"') for line in text.splitlines()) == 24


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    write_whole(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "new \ud800")
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
