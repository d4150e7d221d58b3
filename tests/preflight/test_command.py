"""`offcanvas preflight` as a user calls it."""

import json

import pytest
from typer.testing import CliRunner

from offcanvas.canvas.calls import Branch
from offcanvas.celery_app.freezing import freeze
from offcanvas.celery_app.planning import Submission, plan
from offcanvas.cli import app
from offcanvas.engines.temporal.client import packed_job
from offcanvas.errors import CanvasTooLarge, OffcanvasError, UnserialisableValue
from offcanvas.preflight import limits
from tests.check import shop as check_shop
from tests.preflight import shop

NIGHTLY = "tests.preflight.shop:nightly"


def preflight(*words):
    return CliRunner().invoke(app, ["preflight", *words])


def told(*words):
    done = preflight(*words, "--format", "json")
    assert done.stdout, done.exception
    return json.loads(done.stdout)


def figure(answer, name):
    (found,) = [f for f in answer["figures"] if f["name"] == name]
    return found


def test_what_fits_is_exit_code_0():
    done = preflight(NIGHTLY, "--to", "temporal", "--arg", "orders=[1, 2]")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{NIGHTLY} on temporal: fits\n")
    assert "fits up to" in done.stdout
    assert "What to do" not in done.stdout


def test_a_size_is_a_group_or_a_parameter():
    by_group = told(NIGHTLY, "--to", "temporal", "--arg", "orders=[1]", "--size", "charge=30")
    by_name = told(NIGHTLY, "--to", "temporal", "--arg", "orders=[1]", "--size", "orders=30")
    assert figure(by_group, "tasks")["expected"] == 61
    assert figure(by_name, "tasks")["expected"] == 61
    numbers = told("tests.preflight.shop:steps", "--to", "prefect", "--size", "count=4")
    assert figure(numbers, "task runs")["expected"] == 4


def test_what_is_not_sent_is_one_line(monkeypatch):
    call = ["tests.check.shop:not_json", "--to", "temporal"]
    assert "argument 1 of" in str(preflight(*call).exception)
    # The function at the target changes this setting.
    monkeypatch.setitem(check_shop.app.conf, "task_serializer", "json")
    refused = preflight("tests.check.shop:pickled", "--to", "temporal").exception
    assert isinstance(refused, UnserialisableValue)
    assert str(refused) == "app: task_serializer=pickle: everything is carried as JSON"


def test_the_bill():
    answer = told(
        NIGHTLY, "--to", "temporal", "--arg", "orders=[1]", "--per-day", "100", "--price", "40"
    )
    actions = figure(answer, "actions")["expected"]
    assert figure(answer, "actions a month")["expected"] == actions * 3_000
    assert figure(answer, "dollars a month")["expected"] == round(actions * 3_000 * 40 / 1e6, 2)


def test_the_break_even_of_the_plan_is_where_it_is_refused():
    words = ("tests.preflight.shop:heavy", "--to", "temporal", "--arg", "size=6000")
    answer = told(*words, "--size", "count=5")
    (line,) = [one for one in answer["growth"] if one["figure"] == "largest payload"]
    fits = line["fits"]
    packed_job(shop.app, branch(int(fits * 0.97)))
    with pytest.raises(CanvasTooLarge):
        packed_job(shop.app, branch(int(fits * 1.03)))


def branch(count):
    frozen = freeze(plan(Submission(shop.app, shop.heavy(count, 6_000)))).plan
    assert frozen is not None
    return Branch(frozen)


def test_what_a_server_refuses_is_exit_code_1_with_a_remedy():
    words = ("tests.preflight.shop:heavy", "--to", "temporal", "--arg", "size=6000")
    done = preflight(*words, "--size", "count=600")
    assert done.exit_code == 1
    assert "largest payload" in done.stdout
    assert " of 2.0 MB: refuse" in done.stdout
    assert "pass a key or a path" in done.stdout


def test_prefect_says_how_long_the_cloud_takes_its_events():
    words = (NIGHTLY, "--to", "prefect", "--arg", "orders=[1]", "--size", "orders=300")
    answer = told(*words)
    hobby = figure(answer, "events, on Prefect Cloud Hobby")
    assert hobby["expected"] > 2 * 600
    assert hobby["verdict"] == "fits"
    (line,) = [one for one in answer["growth"] if one["figure"] == hobby["name"]]
    small = told(*words[:-1], f"orders={line['fits']}")
    large = told(*words[:-1], f"orders={line['fits'] + 2}")
    quota = limits.PREFECT_PLANS["Hobby"]
    assert figure(small, "events")["expected"] <= quota < figure(large, "events")["expected"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "orders"], "write name=N"),
        (["--size", "orders=many"], "write a whole number"),
        (["--size", "orders=-1"], "write a whole number"),
        (["--size", "orders=1.5"], "write a whole number"),
        (["--size", "orders=99999999999"], "write less than a thousand million"),
        (["--size", "orders=1", "--size", "orders=2"], "orders is given twice"),
        (["--size", "trucks=3"], "neither a parameter nor a task in a group"),
        (["--bytes", "charge=3"], "write task.result=N"),
        (["--bytes", "charge.result=x"], "write a whole number"),
        (["--bytes", "truck.result=3"], "the canvas has no task truck"),
        (["--size", "orders=0"], "write 1 or more"),
    ],
)
def test_misuse(words, said):
    done = preflight(NIGHTLY, "--to", "temporal", "--arg", "orders=[1]", *words)
    assert isinstance(done.exception, OffcanvasError)
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not done.stdout


def test_a_canvas_without_groups():
    done = preflight("tests.preflight.shop:lone", "--to", "temporal")
    assert done.exit_code == 0
    assert "Growth" not in done.stdout
    misuse = preflight("tests.preflight.shop:lone", "--to", "temporal", "--size", "note=3")
    assert "none: the canvas has no group" in str(misuse.exception)
