"""docs/lessons.md: every link leads somewhere, every pair is one, every pair is listed."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "lessons.md"
LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
LINKS = LINK.findall(PAGE.read_text())
PAIRS = {target for text, target in LINKS if text == "pair"}


@pytest.mark.parametrize("target", sorted({target for _, target in LINKS}))
def test_a_link_leads_to_a_file(target: str) -> None:
    assert (PAGE.parent / target).resolve().is_file()


@pytest.mark.parametrize("target", sorted(PAIRS))
def test_a_pair_has_two_sides(target: str) -> None:
    module = ast.parse((PAGE.parent / target).read_text())
    tests = [
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    sides = [("naive", "hardened"), ("on_redis", "on_rabbitmq")]
    assert any(
        all(any(name.startswith(f"test_{side}") for name in tests) for side in pair)
        for pair in sides
    )


def test_every_pair_is_listed() -> None:
    pairs = {path.name for path in (ROOT / "tests" / "lessons").glob("test_*.py")}
    assert pairs == {Path(target).name for target in PAIRS}


def test_every_lesson_has_code_and_tests() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert rows
    for row in rows:
        _, _, code, tests, _ = row.split("|")
        assert LINK.search(code), row
        assert LINK.search(tests), row
        assert all("/tests/" in target for _, target in LINK.findall(tests)), row
