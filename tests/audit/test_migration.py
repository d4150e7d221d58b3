"""Effort by the published thresholds, and advice with its numbers."""

import pytest

from offcanvas.audit.inventory import draw
from offcanvas.audit.migration import MEDIUM, SMALL, THRESHOLDS, advise, effort
from offcanvas.audit.rules import all_rules
from offcanvas.audit.scan import Answer, take_answer
from tests.audit.helpers import module, project

TASKS = "from celery import chain, chord, group, shared_task\n@shared_task\ndef a(x=0): ...\n"


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("chain(a.s(), a.s())", "small"),
        (f"chain({', '.join(['a.s()'] * SMALL[0])})", "small"),
        (f"chain({', '.join(['a.s()'] * (SMALL[0] + 1))})", "medium"),
        ("chord([a.s()], a.s().on_error(a.s()))", "medium"),
        ("group(a.s(i) for i in range(1000))", "small"),
        (f"chain({', '.join(['a.s()'] * (MEDIUM[0] + 1))})", "large"),
        ("chain(a.s(), group(chain(a.s(), group(a.s(), a.s())), a.s()))", "large"),
        ("group(unknown)", "large"),
    ],
)
def test_effort(expression: str, size: str) -> None:
    canvas = module(f"{TASKS}x = {expression}\n").canvases[0]
    assert effort(draw(canvas)).size == size


def answer(source: str) -> Answer:
    return take_answer(project(TASKS + source), [all_rules()["CEL206"]])


def test_without_a_canvas_the_advice_is_to_stay() -> None:
    move = advise(answer("a.delay(1)\n"), ())
    assert len(move.stay) == 1
    assert "stay on Celery" in move.stay[0]
    assert move.steps == ()


def test_dangers_come_first_and_large_canvases_last() -> None:
    said = answer("a.delay(1, queue='x')\nchain(a.s(), a.s())\ngroup(unknown)\n")
    move = advise(said, said.findings)
    assert [step.title.split()[0] for step in move.steps] == ["Cure", "Move", "Redesign"]
    assert move.steps[0].members == ("tasks.py:4 CEL206",)
    assert [(h.path, h.heat) for h in move.hot_spots] == [("tasks.py", 10)]


def test_the_thresholds_are_published() -> None:
    for number in (*SMALL, *MEDIUM):
        assert str(number) in THRESHOLDS
