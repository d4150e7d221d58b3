"""--bodies call: the steps call Celery's tasks for the time in between, and nothing moves."""

import os
from pathlib import Path

import pytest

from tests.port.project import Folder

TASKS = """
from celery import Celery, chain

app = Celery("stall", broker="memory://")

@app.task(bind=True, max_retries=2)
def one(self, x: int) -> int:
    try:
        return 10 // x
    except ZeroDivisionError as error:
        raise self.retry(exc=error, countdown=0)

@app.task
def two(x: int, y: int = 1) -> int:
    return x + y

@app.task
def sends(x: int) -> int:
    two.delay(x)
    return x

def both(x: int):
    return chain(one.s(x), two.s(y=5))

def third(x: int):
    return chain(one.s(x), sends.s())
"""


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_the_steps_call_the_tasks(tmp_path: Path, engine: str) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", TASKS)
    given = ("stall:both", "--to", engine, "--out", "out", "--bodies", "call")
    ended = folder.port(*given, "--sample", '{"x": 2}')
    assert ended.code == 1, ended.err
    assert "PORT139 decide: stall.one" in ended.out
    assert (tmp_path / "stall.py").read_text() == TASKS
    assert not (tmp_path / "work.py").exists()
    module = "activities" if engine == "temporal" else "tasks"
    text = (tmp_path / f"out/{module}.py").read_text()
    assert "stall.one.run(x)" in text
    assert "ZeroDivisionError" in text
    call = "from out import activities as a, inputs; print(a.two(inputs.TwoInput(1, 2)))"
    if engine == "prefect":
        call = "from out import tasks; print(tasks.two.fn(1, 2))"
    done = folder.run("-c", call, PREFECT_HOME=str(tmp_path / "home"), **os.environ)
    assert done.out == "3\n", done.err


def test_a_task_that_sends_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", TASKS)
    ended = folder.port("stall:third", "--to", "temporal", "--bodies", "call")
    assert ended.code == 2
    assert "PORT305: stall.sends: the body calls .delay()" in ended.err
    assert sorted(path.name for path in tmp_path.glob("*.py")) == ["stall.py"]


def test_a_body_that_exists_twice_is_told_in_every_run(tmp_path: Path) -> None:
    source = """
from celery import Celery, chain

app = Celery("stall", broker="memory://")
work = 3


@app.task
def one(x: int) -> int:
    return x + work


@app.task(bind=True)
def host(self, x: int) -> str:
    return self.request.hostname


def both(x: int):
    return chain(one.s(x), host.s())
"""
    folder = Folder(tmp_path)
    folder.write("stall.py", source)
    first = folder.port("stall:both", "--to", "temporal", "--out", "out")
    assert (folder.path / "stall.py").read_text() == source
    assert "one: its body stays on Celery's side too, and so exists twice" in first.out
    # What cannot move exists once.
    assert first.out.count("exists twice") == 1
    again = folder.port("stall:both", "--to", "temporal", "--out", "out")
    assert (again.code, again.out) == (first.code, first.out)
