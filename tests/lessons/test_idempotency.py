"""Idempotency: what comes twice must not be seen twice."""

from collections.abc import Callable

import pytest

from tests.lessons.school import Class

pytestmark = pytest.mark.servers


def test_naive_has_a_repeated_step_show(staffed: Callable[[str], Class]) -> None:
    lesson = staffed("hardened")
    lesson.send("append_roll", "A-1").get(timeout=300)
    assert lesson.marks.count("begin A-1") == 2
    assert (lesson.folder / "book").read_text() == "roll of A-1\nroll of A-1\n"


def test_hardened_replaces_what_is_there(staffed: Callable[[str], Class]) -> None:
    lesson = staffed("hardened")
    lesson.send("write_roll", "A-2").get(timeout=300)
    assert lesson.marks.count("begin A-2") == 2
    rolls = {path.name: path.read_text() for path in lesson.folder.glob("A-2.*")}
    assert rolls == {"A-2.roll": "roll of A-2\n"}
