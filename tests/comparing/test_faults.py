"""`offcanvas compare --faults`: what is told of a run that was hurt, and one that really is."""

import json
import os

import pytest
from celery import Celery

from offcanvas.celery_app import breaking
from offcanvas.celery_app.breaking import BREAK, BrokenOnPurpose, break_if_asked
from offcanvas.comparing.faults import FAULTS, UNDISTURBED, Faults, Hurt, as_json, as_text
from offcanvas.engines.base import Outcome
from tests.comparing.test_command import compare

WHOLE = Outcome("SUCCESS", value=6)
TASKS = {("a", 0): 1, ("b", 0): 1, ("c", 0): 1}


def hurt(outcome, attempts=TASKS, *, engine="celery", fault=UNDISTURBED, reached=True):
    return Hurt(engine, fault, outcome, attempts, 3.25, reached)


@pytest.mark.parametrize(
    ("outcome", "attempts", "told"),
    [
        (WHOLE, TASKS, "the value after 3.2 s; each task once"),
        (WHOLE, {**TASKS, ("b", 0): 2}, "the value after 3.2 s; 1 ran again"),
        (Outcome("SUCCESS", value=5), TASKS, "ANOTHER VALUE after 3.2 s; each task once"),
        (None, {("a", 0): 2}, "nothing came within 3 s; 1 ran again, 2 did not run"),
        (Outcome("FAILURE", error=KeyError("x")), TASKS, "KeyError after 3.2 s; each task once"),
    ],
)
def test_a_run_in_words(outcome, attempts, told):
    assert hurt(outcome, attempts).told(hurt(WHOLE)) == told


def test_a_fault_that_met_nobody_says_nothing_of_the_engine():
    assert hurt(WHOLE, reached=False).told(hurt(WHOLE)).startswith("not reached")


def everything(*, celery=WHOLE, temporal=WHOLE):
    runs = [
        hurt(outcome if fault != UNDISTURBED else WHOLE, engine=engine, fault=fault)
        for engine, outcome in (("celery", celery), ("temporal", temporal))
        for fault in (UNDISTURBED, *(one.title for one in FAULTS))
    ]
    return Faults("shop:flow", "shop.a", tuple(runs), {"memory": "cannot be hurt"})


def test_an_engine_is_worse_where_nothing_comes_and_on_celery_something_does():
    assert not everything().worse
    assert not everything(celery=None, temporal=None).worse
    assert not everything(celery=None).worse
    assert everything(temporal=None).worse == [("temporal", one.title) for one in FAULTS]


def test_the_report_has_every_fault_and_engine():
    text = as_text(everything(celery=None))
    assert "worker frozen:\n  celery    nothing came within 3 s; each task once\n" in text
    assert "memory: cannot be hurt" in text
    raw = json.loads(as_json(everything(celery=None)))
    assert len(raw["runs"]) == 2 * (len(FAULTS) + 1)
    killed = raw["runs"][1]
    assert (killed["fault"], killed["state"], killed["as_undisturbed"]) == (
        "worker killed",
        None,
        False,
    )


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Sets the variable for a task of an app, and gives the task."""
    monkeypatch.setattr(breaking, "_done", [])

    def make(how, seconds=0.0):
        app = Celery("shop", broker="memory://", backend="cache+memory://")

        @app.task(name="shop.double", shared=False)
        def double(number):
            return 2 * number

        given = {
            "task": "shop.double",
            "how": how,
            "flag": str(tmp_path / "flag"),
            "seconds": seconds,
        }
        monkeypatch.setenv(BREAK, json.dumps(given))
        break_if_asked(app)
        break_if_asked(app)
        return app.tasks["shop.double"]

    return make


def test_one_call_raises_and_the_others_do_not(broken):
    task = broken("raises")
    with pytest.raises(BrokenOnPurpose):
        task.run(2)
    assert task.run(2) == 4


def test_one_that_is_held_does_its_work_and_says_that_it_is_there(broken, tmp_path):
    task = broken("held", 0.01)
    assert not (tmp_path / "flag").exists()
    assert (task.run(2), task.run(3)) == (4, 6)
    assert (tmp_path / "flag").exists()


def test_without_the_variable_nothing_is_broken(monkeypatch):
    monkeypatch.delenv(BREAK, raising=False)
    app = Celery("shop", broker="memory://")
    break_if_asked(app)
    assert BREAK not in os.environ


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--html", "page.html"], "--html is for times; --faults has none to show"),
        (["--on", "memory"], "--faults: none of the engines can be hurt"),
    ],
)
def test_what_cannot_be_is_one_line_and_2(tmp_path, words, told):
    done = compare(tmp_path, "shop:flow", "--faults", *words)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert not (tmp_path / "page.html").exists()


@pytest.mark.servers
def test_a_canvas_is_really_hurt_on_celery_and_temporal(tmp_path, monkeypatch):
    # Two of the faults: each may take as long as anybody waits.
    few = "import offcanvas.comparing.faults as f; f.FAULTS = f.FAULTS[3:6:2]; "
    monkeypatch.setattr(
        "tests.comparing.test_command.MAIN", few + "import offcanvas.cli as c; c.main()"
    )
    words = ("--on", "temporal", "--faults", "--timeout", "30", "--format", "json")
    done = compare(tmp_path, "shop:flow", *words)
    assert done.returncode == 0, done.stderr
    found = {(run["engine"], run["fault"]): run for run in json.loads(done.stdout)["runs"]}
    for engine in ("celery", "temporal"):
        whole = found[engine, UNDISTURBED]
        assert (whole["state"], whole["tasks"], whole["ran_again"]) == ("SUCCESS", 4, 0)
        assert found[engine, "a task raises"]["error"] == "BrokenOnPurpose"
    assert found["temporal", "server killed, started again"]["as_undisturbed"]
