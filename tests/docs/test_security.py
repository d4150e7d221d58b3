"""SECURITY.md: what it says to be held by a test or by a piece of code is there."""

import re
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
FILES = sorted(set(re.findall(r"`([\w./]+\.py)`", TEXT)))
NAMES = sorted(set(re.findall(r"`(offcanvas(?:\.\w+)+)`", TEXT)))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_something_is_there(name):
    # Written from the root, from the package, or as the name that each engine's test has.
    at = [ROOT / name, ROOT / "offcanvas" / name, *ROOT.glob(f"offcanvas/engines/*/{name}")]
    engines = [ROOT / "tests" / "engines" / one / name for one in ("temporal", "prefect")]
    assert any(one.is_file() for one in at) or all(one.is_file() for one in engines)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_that_holds_something_is_there(name):
    module, _, attribute = name.rpartition(".")
    assert callable(attrgetter(attribute)(import_module(module)))


def test_each_row_that_denies_something_says_what_holds_it():
    rows = [
        line.strip("| ").split("|") for line in TEXT.splitlines() if line.startswith("| cannot")
    ]
    assert len(rows) > 10
    for what, why, *held in rows:
        assert "`" in "".join([why, *held]), what


def test_each_test_that_is_named_has_a_test():
    for name in FILES:
        if name.startswith("tests/") and "/test_" in name:
            assert re.search(r"^(async )?def test_|^    def test_", (ROOT / name).read_text(), re.M)
