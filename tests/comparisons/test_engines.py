"""Table, words, report and results take every engine that there is, none as a special case."""

import json
from dataclasses import replace
from io import StringIO

from rich.console import Console

from comparisons.engines import DEFAULT_ENGINES, ENGINES, NAMES
from comparisons.export import as_json, dumps
from comparisons.published import SECONDS, beside
from comparisons.report import render
from comparisons.results import Comparison
from comparisons.table import print_table
from shared.settings import Settings
from shared.workloads import parse
from tests.comparisons.samples import comparison
from tests.comparisons.test_export import SCHEMA_TEXT, VALIDATOR

JOBS = ("all_in_one", "chord_by_station", "noop:100", "noop:1000", "fib33:10", "fib10:40")


def everything() -> Comparison:
    """All engines, each a second slower than the one before."""
    names = list(ENGINES)
    whole = comparison(
        {(job, name): [names.index(name) + 1.0] * 3 for job in JOBS for name in names},
        engines=",".join(names),
        variants=",".join(job for job in JOBS if ":" not in job),
        workloads=",".join(job for job in JOBS if ":" in job),
    )
    return replace(whole, idle=dict.fromkeys(names, (0.01, 0.02)))


def test_results_of_all_engines_keep_to_the_schema() -> None:
    VALIDATOR.validate(json.loads(dumps(as_json(everything()))))
    assert SCHEMA_TEXT["$defs"]["engine"]["enum"] == list(ENGINES)


def test_the_table_and_the_words_name_every_engine() -> None:
    output = StringIO()
    print_table(as_json(everything()), Console(file=output))
    table, _, words = output.getvalue().partition("\n- ")
    for title in NAMES.values():
        assert table.count(f" {title} ") == len(JOBS)
        assert title in words


def test_the_report_has_a_colour_for_every_engine() -> None:
    page = render(everything())
    colours = {engine.colour for engine in ENGINES.values()}
    assert len(colours) == len(ENGINES)
    assert all(colour in page for colour in colours)
    assert f"{', '.join(list(NAMES.values())[:-1])} and {list(NAMES.values())[-1]}" in page


def test_every_engine_has_its_settings_and_the_usual_ones_need_no_further_step() -> None:
    fields = set(Settings.model_fields)
    assert all(set(engine.fields) <= fields for engine in ENGINES.values())
    assert "airflow" not in DEFAULT_ENGINES


def test_the_published_figures_stand_beside_ours() -> None:
    lines = beside(as_json(everything()))
    assert all(parse(job) for job in SECONDS)
    assert len(lines) == 2 + len(SECONDS) * len(ENGINES)
    (airflow,) = [line for line in lines if line.startswith("| fib10:40 | Airflow |")]
    assert airflow == "| fib10:40 | Airflow | 4.00 s | 4.0 times | 116 s |"
    assert beside(as_json(comparison({}))) == []
