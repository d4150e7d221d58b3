"""What runs come to, from what was written down and seen."""

import json
from collections import Counter

import pytest

from offcanvas.checking.report import Word
from offcanvas.checking.seen import Seen
from offcanvas.comparing.page import as_html
from offcanvas.comparing.result import Attempt, Measured, Run, Spread, Used, attempts_of
from offcanvas.comparing.text import as_json, as_text


def entry(event, at, task="a", process=1, **given):
    return {
        "event": event,
        "name": f"shop.{task}",
        "id": task,
        "process": process,
        "at": at,
        **given,
    }


def run(engine, number=0, attempts=(), answer="returns 1"):
    seen = Seen(frozenset({answer}), Counter({"shop.a()": 1}), Counter())
    return Run(engine, number, tuple(attempts), Used(0.5, 10_000_000), Used(0.25, 5_000_000), seen)


ONE = Attempt("shop.a", 0.5, 1.0, 1)


def test_attempts_are_paired_by_task_and_process():
    entries = [
        entry("began", 10.5),
        entry("began", 10.6, "b", 2),
        entry("called", 10.7),
        entry("ended", 11.0, state="RETRY"),
        entry("began", 12.0),
        entry("ended", 12.5, state="SUCCESS"),
    ]
    found = attempts_of(entries, 10.0)
    assert [(a.name, a.began, a.ended) for a in found] == [
        ("shop.a", 0.5, 1.0),
        ("shop.b", pytest.approx(0.6), None),
        ("shop.a", 2.0, 2.5),
    ]


def test_times_of_a_run():
    one = run("celery", attempts=[ONE, Attempt("shop.b", 0.8, 1.5, 2), Attempt("shop.c", 3, 4, 1)])
    assert (one.first, one.makespan) == (1.0, 4)
    # From 0.5 to 1.5, and from 3 to 4.
    assert one.busy == pytest.approx(2.0)
    assert run("celery").makespan is None


def test_a_verdict_is_about_all_runs():
    celery = [run("celery", n, [ONE]) for n in range(2)]
    same = Measured("x", (*celery, run("memory", 0, [ONE])), {})
    assert same.same
    off = Measured(
        "x", (*celery, run("memory", 0, [ONE]), run("memory", 1, [ONE], "returns 2")), {}
    )
    assert off.verdict("memory")[0] is Word.DIFFERS
    assert not off.same
    unsure = Measured("x", (celery[0], run("celery", 1, [ONE], "returns 3"), celery[0]), {})
    assert unsure.verdict("celery")[0] is Word.UNSTABLE


def test_what_is_printed():
    measured = Measured(
        "shop:flow", (run("celery", 0, [ONE]), run("memory", 0, [ONE])), {"x": "no"}
    )
    text = as_text(measured)
    assert text.splitlines()[0].split() == ["celery", "memory"]
    assert "makespan, s" in text
    assert text.endswith("x: no\n")
    told = json.loads(as_json(measured))
    assert told["engines"]["memory"]["verdict"] == "same"
    assert told["engines"]["celery"]["runs"][0]["makespan"] == 1.0
    page = as_html(measured)
    assert page.count("<svg") == 2
    assert "shop.a: 0.500 to 1.000 s" in page


def test_names_are_escaped_on_the_page():
    odd = Attempt("<script>", 0.1, None, 1)
    page = as_html(Measured("<b>", (run("celery", 0, [odd]),), {}))
    assert "<script>" not in page
    assert "never ended" in page


def test_a_spread():
    assert Spread.of([3.0, None, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([None]) is None
