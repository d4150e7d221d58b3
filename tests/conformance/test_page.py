"""Without running Celery's tests: the list, the kept runs and the page agree."""

from types import SimpleNamespace

import pytest

from tests.conformance import outcomes, page, results
from tests.conformance.expected import Entry, complaints, entries, expected


def ran(**found):
    return {name: outcomes.Ran(outcome) for name, outcome in found.items()}


def entry(*tests, outcome="failed", on=("memory",)):
    return Entry(tests, on, outcome, "innards", "it counts keys")


def test_the_page_is_made_of_the_list_and_the_kept_runs():
    assert page.PAGE.read_text() == page.text()


@pytest.mark.parametrize(("release", "engine"), results.load())
def test_the_kept_run_is_as_the_list_says(engine, release):
    kept = results.load()[release, engine]["outcomes"]
    assert complaints(expected(engine, release), ran(**kept), whole=True) == []


@pytest.mark.parametrize(("release", "engine"), results.load())
def test_the_kept_run_is_a_whole_one(engine, release):
    kept, celery = results.load()[release, engine], results.load()[release, "celery"]
    assert kept["outcomes"].keys() == celery["outcomes"].keys()
    assert kept["versions"]["celery"] == celery["versions"]["celery"]
    assert celery["versions"]["celery"].startswith(f"{release}.")


def test_every_entry_has_a_reason_and_an_engine():
    assert all(entry.reason and entry.tests and entry.on for entry in entries())


def test_what_is_wrong_with_a_run_is_told():
    listed = [entry("a", "gone"), entry("p")]
    found = ran(**{"a": "passed", "b": "failed", "c": "passed", "p[1]": "failed"})
    assert [line.split(":")[0] for line in complaints(listed, found, whole=True)] == [
        "LISTED a as failed",
        "NOT LISTED b",
        "NO SUCH TEST gone",
    ]
    assert len(complaints(listed, found, whole=False)) == 2
    assert complaints([entry("c"), entry("c")], ran(c="failed"), whole=False) == ["LISTED TWICE c"]


def test_the_worst_of_a_tests_reports_is_its_outcome():
    found = {}
    for outcome, wasxfail in (("passed", False), ("failed", False), ("passed", False)):
        report = SimpleNamespace(
            nodeid="t/x.py::C::t", outcome=outcome, duration=1.0, longrepr="why", skipped=False
        )
        if wasxfail:
            report.wasxfail = ""
        outcomes.note(found, report)
    assert found == {"C.t": outcomes.Ran("failed", 3.0, "why")}
