"""What the events of a task say it is about."""

import pytest

from celery_impl.describe import subject


@pytest.mark.parametrize(
    ("task", "args", "kwargs", "about"),
    [
        ("t.assign_all", ("r",), {}, ("r", "*")),
        ("t.generate_roll", ("r", "A-1"), {}, ("r", "A-1")),
        ("t.nothing", ("r", 7), {}, ("r", "7")),
        ("t.sum_pages", ([1, 2],), {"run_id": "r"}, ("r", "*")),
        ("t.fibonacci", (3,), {"run_id": "r", "index": 3, "n": 10}, ("r", "3")),
        ("celery.starmap", (), {"it": [["r", "A-1"]]}, ("r", "A-1")),
        ("celery.starmap", (), {"it": [["r", "A-1"], ["r", "B-2"]]}, ("r", "A-1..B-2")),
        ("celery.starmap", (), {"it": []}, (None, "*")),
        ("t.sweep", (60.0,), {}, (None, "*")),
    ],
)
def test_subject(task: str, args: tuple, kwargs: dict, about: tuple) -> None:
    assert subject(task, args, kwargs) == about
