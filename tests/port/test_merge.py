"""A later run and what a team has made of an earlier one: merged by symbol, or left as it is."""

import ast
from pathlib import Path

import pytest

from offcanvas.errors import UsageError
from offcanvas.port import keep
from offcanvas.port.merge import merge

BASE = '''"""What it is."""

import time

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from out import activities as do
    from out.inputs import OneInput, TwoInput

LIMIT = 3


@workflow.defn
class One:
    """The first."""

    @workflow.run
    async def run(self, given: OneInput) -> int:
        return await do.one(given)

    async def _part(self, item: int) -> int:
        """
        A part, with
            a doc of its own.
        """
        return item


@workflow.defn
class Two:
    async def run(self, given: TwoInput) -> int:
        time.sleep(LIMIT)
        return given
'''


def _merged(mine: str, theirs: str) -> str:
    made = merge("out/workflows.py", mine, BASE, theirs)
    assert made.text is not None, made.clashes
    ast.parse(made.text)
    return made.text


def test_what_one_side_has_changed_is_taken() -> None:
    mine = BASE.replace("return item", "return item + 1  # mine")
    theirs = BASE.replace("LIMIT = 3", "LIMIT = 4")
    assert _merged(mine, BASE) == mine
    assert _merged(BASE, theirs) == theirs
    assert _merged(mine, theirs) == mine.replace("LIMIT = 3", "LIMIT = 4")
    # Methods of one class, one changed here and one there.
    theirs = BASE.replace("return await do.one(given)", "return await do.two(given)")
    assert _merged(mine, theirs) == mine.replace("do.one(given)", "do.two(given)")


def test_symbols_are_paired_wherever_they_stand() -> None:
    """Moved by the team, changed by the port: a merge by lines would clash."""
    head, one, two = BASE.partition("\n\n@workflow.defn\nclass One")[0], "", ""
    _, one, two = BASE.split("\n\n@workflow.defn\n")
    mine = f"{head}\n\n@workflow.defn\n{two}\n\n@workflow.defn\n{one}"
    theirs = BASE.replace("return given", "return given.items")
    found = _merged(mine, theirs)
    assert found == mine.replace("return given", "return given.items")


def test_what_is_new_comes_behind_what_it_stands_behind() -> None:
    new = "\n\n@workflow.defn\nclass New:\n    pass\n"
    theirs = BASE.replace("\n\n@workflow.defn\nclass Two", f"{new}\n\n@workflow.defn\nclass Two")
    mine = BASE + "\n\ndef own() -> None:\n    pass\n"
    found = _merged(mine, theirs)
    order = [n.name for n in ast.parse(found).body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    assert order == ["One", "New", "Two", "own"]


def test_imports_are_those_that_are_needed() -> None:
    theirs = BASE.replace("OneInput, TwoInput", "OneInput, ThreeInput").replace(
        "given: TwoInput", "given: ThreeInput"
    )
    mine = BASE.replace("import time\n", "import logging\nimport time\n").replace(
        "return item", "logging.info(item)\n        return item"
    )
    found = _merged(mine, theirs)
    assert "    from out.inputs import OneInput, ThreeInput\n" in found
    assert "import logging\nimport time\n" in found
    # What the team still uses of an import stays.
    mine = mine.replace("logging.info(item)", "logging.info(TwoInput)")
    found = _merged(mine, theirs)
    assert "    from out.inputs import OneInput, ThreeInput, TwoInput\n" in found


@pytest.mark.parametrize(
    ("mine", "theirs", "clash"),
    [
        (("return item", "return 1"), ("return item", "return 2"), "One._part"),
        (("LIMIT = 3", "LIMIT = 4"), ("LIMIT = 3", "LIMIT = 5"), "LIMIT"),
        # edited here, gone there
        (("time.sleep(LIMIT)", "time.sleep(9)"), ("class Two", None), "Two"),
        # gone here, changed there
        (("class Two", None), ("time.sleep(LIMIT)", "time.sleep(9)"), "Two"),
    ],
)
def test_a_clash_names_its_symbol(
    mine: tuple[str, str | None], theirs: tuple[str, str | None], clash: str
) -> None:
    def changed(how: tuple[str, str | None]) -> str:
        before, after = how
        if after is None:
            return BASE.partition("\n\n@workflow.defn\nclass Two")[0]
        return BASE.replace(before, after)

    made = merge("out/workflows.py", changed(mine), BASE, changed(theirs))
    assert made.text is None
    assert made.clashes == (clash,)


def test_what_is_gone_on_both_sides_or_on_one_that_nobody_changed_is_gone() -> None:
    less = BASE.partition("\n\n@workflow.defn\nclass Two")[0]
    for mine, theirs in ((less, BASE), (BASE, less), (less, less)):
        assert "class Two" not in _merged(mine, theirs)


def test_what_is_no_python_at_the_moment_is_merged_by_lines() -> None:
    mine = BASE.replace("LIMIT = 3", "LIMIT = (3")
    theirs = BASE.replace("return item", "return 2")
    made = merge("out/workflows.py", mine, BASE, theirs)
    assert made.text == mine.replace("return item", "return 2")


def test_what_is_there_and_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "out.py"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"out\.py: cannot be read .*nothing is written"):
        keep.merged(tmp_path, {"out.py": ""}, frozenset())
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match=r"out\.py: cannot be read .*nothing is written"):
        keep.merged(tmp_path, {"out.py": ""}, frozenset())
    keeper = tmp_path / keep.KEPT
    keeper.parent.mkdir()
    for damaged in ('{"files": {}, "ports": []}', '{"files": []}', "[]"):
        keeper.write_text(damaged)
        with pytest.raises(UsageError, match=r"port\.json: cannot be read"):
            keep.ported(tmp_path)
