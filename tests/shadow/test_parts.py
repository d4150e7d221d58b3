"""Masks, sampling, limits, known differences, what a count says, and the kept proof."""

import json
from datetime import date
from pathlib import Path

import pytest
from celery import Celery, Task
from celery.signals import before_task_publish
from typer.testing import CliRunner

from offcanvas.commands.shadow import shadow
from offcanvas.errors import UsageError
from offcanvas.shadow import record
from offcanvas.shadow.answers import Difference
from offcanvas.shadow.bodies import Bodies, Judged
from offcanvas.shadow.fences import Fences
from offcanvas.shadow.kit import replay_kit
from offcanvas.shadow.masks import Masks
from offcanvas.shadow.recording import Attempt, Recorded, read
from offcanvas.shadow.report import (
    Known,
    Report,
    as_json,
    at_most,
    needed,
    read_known,
    read_report,
)

KEPT = Path(__file__).parents[2] / "benchmarks" / "shadow.json"


def test_the_kept_proof():
    told = json.loads(KEPT.read_text())
    assert len(told["plants"]) == 12
    assert all(told["plants"].values())
    assert told["clean"] >= 1_000
    assert (told["false_alarms"], told["ledger_changed"]) == (0, False)
    assert told["ratio"] < 1.03
    kit = told["kit"]
    assert all(kit["plants"].values())
    assert kit["clean"] >= 1_000
    assert (kit["false_alarms"], kit["ledger_changed"]) == (0, False)


@pytest.fixture(scope="module")
def app():
    found = Celery("masked", broker="memory://", backend="cache+memory://", set_as_current=False)

    @found.task(name="masked.pay")
    def pay(order, card=None):
        return card

    return found


def test_a_masked_value_stays_equal_to_itself():
    masks = Masks(["pay.card", "masked.find:result"], "salt")
    hidden = masks.arguments("masked.pay", {"order": 1, "card": "number-of-ann"})
    assert hidden["order"] == 1
    assert hidden["card"].startswith("masked:")
    assert masks.result("masked.find", "number-of-ann") == hidden["card"]
    assert masks.arguments("masked.pay", hidden) == hidden
    other = Masks(["pay.card"], "other").arguments("masked.pay", {"card": "number-of-ann"})
    assert other["card"] != hidden["card"]


def recorded(app, folder, calls=20, **options):
    recording = record(app, folder, **options)
    try:
        for number in range(calls):
            app.tasks["masked.pay"].delay(number % 10, card="number-of-ann")
    finally:
        recording.close()
    return read(folder) if list(folder.glob("*.jsonl")) else []


def test_values_that_are_masked_are_not_written(app, tmp_path):
    found = recorded(app, tmp_path, mask=["pay.card"])
    assert len(found) == 20
    assert all("number-of-ann" not in one.read_text() for one in tmp_path.glob("*.jsonl"))


def test_a_share_by_key_takes_all_of_a_key_or_none(app, tmp_path):
    found = recorded(app, tmp_path, calls=100, share=0.5, key="order")
    orders = [one.given["order"] for one in found]
    assert 0 < len(set(orders)) < 10
    assert all(orders.count(order) == 10 for order in set(orders))


def test_a_recording_does_not_grow_beyond_its_limit(app, tmp_path):
    recorded(app, tmp_path, calls=200, limit=2_000)
    assert sum(one.stat().st_size for one in tmp_path.glob("*.jsonl")) <= 2_000


def test_a_share_that_is_none(app, tmp_path):
    with pytest.raises(UsageError, match="share=2 has to be a number from 0 to 1"):
        record(app, tmp_path, share=2)
    with pytest.raises(UsageError, match="there is no recording"):
        read(tmp_path)


def test_what_a_count_says():
    assert needed(0.001) == 2_995
    assert at_most(2_995) <= 0.001 < at_most(2_994)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "cannot be read"),
        ('[[known]]\nstep = "a"\nkind = "b"\nuntil = 2999-01-01', "known 1 has no reason"),
        ('[[known]]\nstep = "a"\nkind = "b"\nreason = "c"', "known 1 has no until"),
        (
            '[[known]]\nstep = "a"\nkind = "b"\nreason = "c"\nuntil = 2020-01-01',
            "was good until 2020-01-01",
        ),
    ],
)
def test_known_differences_have_a_reason_and_a_day(tmp_path, text, said):
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_known(path, date(2026, 1, 1))


def test_what_a_class_sends_besides_is_not_sent(tmp_path):
    found, published = Celery("besides", broker="memory://", set_as_current=False), []

    class Besides(Task):
        def apply_async(self, *args, **options):
            found.tasks["besides.note"].delay()
            return super().apply_async(*args, **options)

    @found.task(name="besides.note")
    def note():
        """Is not run."""

    @found.task(name="besides.pay", base=Besides)
    def pay():
        """Is answered."""

    def published_one(sender, **_given):
        published.append(sender)

    attempt = Attempt("1", "besides.pay", {}, 0, "SUCCESS", value=7)
    one = Recorded("1", "besides.pay", {}, dict(pay.s()), "1", [attempt])
    before_task_publish.connect(published_one)
    try:
        (done,), _ = replay_kit(found, [one], Masks(), (), Bodies(found, Fences({}, {})))
    finally:
        before_task_publish.disconnect(published_one)
    assert (done.differences, published) == ((), [])
    assert done.steps == {"pay"}


def a_report(**changes):
    given = {
        "replayed": 400, "left_out": 1, "differing": 0, "unknown": (), "known": (),
        "covered": ("a",), "uncovered": ("b", "c"), "untaken": ("x", "y"), "branches": 3,
    }  # fmt: skip
    return Report(**{**given, **changes})


def told(folder, *reports, words=()):
    files = [folder / f"{number}.json" for number in range(len(reports))]
    for file, one in zip(files, reports, strict=True):
        file.write_text(as_json(one))
    return CliRunner().invoke(shadow, ["report", *map(str, files), *words])


def test_what_several_runs_have_found_is_added_up(tmp_path):
    rule = Known("a", "order", "as ever", date(2999, 1, 1))
    body = Judged("a", "pure", 10, 1, 1, 0, False, "1, and Celery's body: 2")
    first = a_report(known=((rule, 2),), bodies=(body,))
    second = a_report(
        known=((rule, 3),), bodies=(body,), covered=("b",), uncovered=("a", "c"), untaken=("y",)
    )
    ran = told(tmp_path, first, second, words=["--until", "0.001"])
    assert ran.exit_code == 0
    assert ran.output.splitlines() == [
        "800 roots, 0 differ: at most 0.37% do, with 95 % confidence",
        "  known until 2999-01-01: order, a, 5 times: as ever",
        "2 roots left out: their end, or a value, was not recorded",
        "not covered, as no recorded root took them: c",
        "2 of 3 branches of the candidate were taken",
        "  not taken: y",
        (
            "a behind the fence pure: 20 calls, 2 differ: 1, and Celery's body: 2; "
            "noise explains as many; noise of Celery's own body: 10.00%"
        ),
        "2,195 more clean ones are needed for at most 0.10%",
    ]


def test_a_difference_in_one_of_them_is_one(tmp_path):
    odd = Difference("missing call", "b", "never called")
    ran = told(tmp_path, a_report(), a_report(differing=4, unknown=((odd, 4, "r1"),)))
    assert ran.exit_code == 1
    assert ran.output.splitlines()[:2] == [
        "800 roots, 4 differ:",
        "  missing call, b, 4 times: never called (r1)",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is no report"),
        ("{}", "is no report"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_report_is_named(tmp_path, text, said):
    file = tmp_path / "night.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_report(file)
