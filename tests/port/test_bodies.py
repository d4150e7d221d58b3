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
