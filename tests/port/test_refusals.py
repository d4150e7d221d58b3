"""A project of which some functions are refused: named, counted, left out when that is asked."""

import json
from pathlib import Path

import pytest

from tests.port.project import Folder

GOOD = """
from celery import Celery, chain

app = Celery("mill", broker="memory://")

@app.task
def grind(x: int) -> int:
    return x

@app.task
def bake(x: int, heat: int) -> int:
    return x

def bread(x: int):
    return chain(grind.s(x), bake.s(200))
"""
BAD = """
from mill import bake, grind, app
from celery import chain

def raw(x: int):
    return chain(grind.s(x), bake.s())

def by_name(name: str):
    return chain(app.signature(name), grind.s())
"""


def _mill(path: Path) -> Folder:
    folder = Folder(path)
    folder.write("mill.py", GOOD)
    folder.write("others.py", BAD)
    return folder


REFUSED = (
    "others.py:9: by_name: PORT300: ",
    "others.py:6: raw: PORT303: mill.bake misses the argument 'heat'",
)


def test_a_project_is_refused_in_one_line_for_each_function(tmp_path: Path) -> None:
    folder = _mill(tmp_path)
    ended = folder.port(".", "--to", "temporal")
    assert ended.code == 2
    assert ".: 2 of 3 functions are refused, and nothing is written" in ended.err
    assert "--skip-refused" in ended.err
    for line in REFUSED:
        assert line in ended.err
    assert sorted(path.name for path in tmp_path.glob("*.py")) == ["mill.py", "others.py"]
    assert not (tmp_path / ".offcanvas").exists()


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_the_rest_is_written_when_that_is_asked(tmp_path: Path, engine: str) -> None:
    folder = _mill(tmp_path)
    sample = ("--sample", '{"x": 1}')
    ended = folder.port(".", "--to", engine, "--skip-refused", *sample)
    assert ended.code == 1, ended.err
    assert "2 functions are refused and are not in the port" in ended.err
    assert "others.py:6: PORT303 refused: raw: mill.bake misses" in ended.err
    assert "mill:bread" in ended.out
    workflows = "workflows" if engine == "temporal" else "flows"
    emitted = (tmp_path / f"mill_{engine}/{workflows}.py").read_text()
    assert "bread" in emitted.lower()
    assert "raw" not in emitted.lower()
    told = (tmp_path / f"mill_{engine}/PORT.md").read_text()
    assert "## Refused, and not in this port" in told
    assert "- `PORT303` others.py:6: raw: mill.bake misses the argument 'heat'" in told
    assert folder.port(".", "--to", engine, "--skip-refused", *sample, "--check").code == 0
    as_data = folder.port(".", "--to", engine, "--skip-refused", *sample, "--format", "json")
    refused = json.loads(as_data.out)["refused"]
    assert [(one["function"], one["code"]) for one in refused] == [
        ("raw", "PORT303"),
        ("by_name", "PORT300"),
    ]


def test_what_cannot_be_skipped(tmp_path: Path) -> None:
    folder = _mill(tmp_path)
    ended = folder.port("others:raw", "--to", "temporal", "--skip-refused")
    assert ended.code == 2
    assert "--skip-refused is for a whole project" in ended.err
    for targets in (["others:raw"], [".", "others:raw", "--skip-refused"]):
        ended = folder.port(*targets, "--to", "temporal")
        assert ended.code == 2
        assert "others.py:6: " in ended.err
        assert "by_name" not in ended.err
    (tmp_path / "mill.py").write_text(GOOD.partition("def bread")[0])
    ended = folder.port(".", "--to", "temporal", "--skip-refused")
    assert ended.code == 2
    assert "everything is refused; nothing is written" in ended.err
    assert not (tmp_path / "mill_temporal").exists()


SENDING = """
from mill import app, bake, bread, grind
from celery import chain

@app.task
def tell(x: int) -> int:
    grind.delay(x)
    return x

def told(x: int):
    return chain(grind.s(x), tell.s())
"""


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_body_that_cannot_be_called_is_left_out_too(tmp_path: Path, engine: str) -> None:
    folder = Folder(tmp_path)
    folder.write("mill.py", GOOD)
    folder.write("others.py", SENDING)
    folder.write("more.py", SENDING.replace("tell", "more"))
    given = (".", "--to", engine, "--bodies", "call")
    ended = folder.port(*given)
    assert ended.code == 2
    assert ".: 2 of 3 functions are refused, and nothing is written; --skip-refused" in ended.err
    assert "others.py:7: told: PORT305: others.tell: the body calls .delay()" in ended.err
    ended = folder.port(*given, "--skip-refused")
    assert ended.code == 1, ended.err
    assert "2 functions are refused and are not in the port" in ended.err
    assert "mill:bread" in ended.out
    steps = "activities" if engine == "temporal" else "tasks"
    assert "mill.grind.run(x)" in (tmp_path / f"mill_{engine}/{steps}.py").read_text()
    assert folder.port(*given, "--skip-refused", "--check").code == 0
    assert folder.port(".", "--to", engine, "--out", "whole", "--diff").code == 1


def test_two_functions_of_one_name_are_two(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("mill.py", GOOD + "\ndef raw(x: int):\n    return chain(grind.s(x), bake.s())\n")
    calls = "import mill\nfrom celery import chain\n\ndef both(x: int):\n"
    for name in ("one", "two"):
        folder.write(f"{name}.py", f"{calls}    return chain(mill.raw(x), mill.grind.s())\n")
    ended = folder.port(".", "--to", "temporal", "--skip-refused")
    assert ended.code == 1, ended.err
    assert "3 functions are refused and are not in the port" in ended.err


@pytest.mark.parametrize("what", ["raise SystemExit(0)", "raise KeyError(x)"])
def test_a_builder_that_ends_the_process(tmp_path: Path, what: str) -> None:
    folder = Folder(tmp_path)
    folder.write(
        "mill.py", GOOD.replace("    return chain", f"    if x:\n        {what}\n    return chain")
    )
    ended = folder.port("mill:bread", "--to", "temporal", "--sample", '{"x": 1}')
    assert ended.code == 2
    assert ended.err.startswith("offcanvas: mill:bread: calling it with {'x': 1} failed with ")
    assert not (tmp_path / "work.py").exists()
    (tmp_path / "mill.py").write_text(f"x = 1\n{what}\n{GOOD}")
    ended = folder.port("mill:bread", "--to", "temporal", "--sample", '{"x": 1}')
    assert ended.code == 2
    assert "mill:bread: importing mill failed with " in ended.err


@pytest.mark.parametrize("out", ["", "celery", "temporalio", "work"])
def test_a_package_that_would_be_in_the_way(tmp_path: Path, out: str) -> None:
    folder = Folder(tmp_path)
    folder.write("mill.py", GOOD)
    ended = folder.port("mill:bread", "--to", "temporal", "--out", out)
    assert ended.code == 2
    assert ended.err.startswith(f"offcanvas: --out {out}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["mill.py"]
