"""Time limits: the step's process is ended where Celery's was, and the step fails for good."""

import json
from pathlib import Path

import pytest

from tests.port.project import Folder

ENGINES = ("temporal", "prefect")
STALL = """
import os
import time

from celery import Celery, chain
from celery.exceptions import SoftTimeLimitExceeded

app = Celery("stall", broker="memory://")


class Odd(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


@app.task(time_limit=1, autoretry_for=(Exception,), max_retries=2)
def hard(kind: str) -> str:
    if kind == "slow":
        time.sleep(600)
        open("survived", "w").close()
    if kind == "odd":
        raise Odd("one", "two")
    if kind == "gone":
        os._exit(3)
    if kind == "lost":
        raise KeyError(kind)
    return f"{kind} in {os.getpid()}"


@app.task(soft_time_limit=1, autoretry_for=(SoftTimeLimitExceeded,), max_retries=2)
def soft(kind: str) -> str:
    try:
        if kind == "slow":
            time.sleep(600)
    finally:
        open("cleaned", "w").close()
    return kind


@app.task
def calm(kind: str) -> str:
    return kind


def both(kind: str):
    return chain(hard.s(kind), soft.s(), calm.s(), calm.s().set(time_limit=5))
"""
TRIED = """
import json, os, sys
if sys.argv[1] == "temporal":
    from out import activities
    hard, soft = activities.hard, activities.soft
else:
    from out import tasks
    hard, soft = tasks.hard.fn, tasks.soft.fn

def tried(step, kind):
    try:
        return step(kind)
    except Exception as error:
        # What retried_on forbids to be tried again is an ApplicationError on Temporal.
        return [getattr(error, "type", None) or type(error).__name__, str(error).partition(": ")[2]]

if __name__ == "__main__":
    ends = {kind: tried(hard, kind) for kind in ("slow", "odd", "gone", "lost", "well")}
    ends["soft slow"], ends["soft well"] = tried(soft, "slow"), tried(soft, "well")
    ends["own"] = os.getpid()
    print(json.dumps(ends))
"""


def _ported(path: Path, engine: str, text: str = STALL) -> tuple[Folder, str]:
    folder = Folder(path)
    folder.write("stall.py", text)
    ended = folder.port("stall:both", "--to", engine, "--out", "out")
    assert (ended.code, ended.err) == (1, "")
    return folder, ended.out


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_is_ended_at_its_limit(tmp_path: Path, engine: str) -> None:
    folder, said = _ported(tmp_path, engine)
    assert "PORT113 decide: stall.hard: time_limit=1" in said
    folder.write("tried.py", TRIED)
    ended = folder.run("tried.py", engine)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out.splitlines()[-1])
    assert told["slow"][0] == "TimeLimitExceeded"
    assert told["odd"][0] == "RuntimeError"  # what cannot be pickled comes with its words
    assert told["gone"][0] == "RuntimeError"
    assert told["lost"][0] == "KeyError"
    assert told["well"].startswith("well in ")
    assert told["well"] != f"well in {told['own']}"
    assert told["soft slow"][0] == "SoftTimeLimitExceeded"
    assert told["soft well"] == "well"
    assert (tmp_path / "cleaned").exists()
    assert not (tmp_path / "survived").exists()
    typed = folder.run("-m", "mypy", "--strict", "out")
    assert typed.code == 0, typed.out


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_ended_is_not_tried_again(tmp_path: Path, engine: str) -> None:
    _ported(tmp_path, engine)
    file = "activities.py" if engine == "temporal" else "tasks.py"
    text = " ".join((tmp_path / "out" / file).read_text().split())
    assert "retried_on(Exception, but=(TimeLimitExceeded,))" in text
    assert "retried_on(SoftTimeLimitExceeded)" in text
    assert "celery" not in text.replace("Celery", "").lower()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_limit_of_one_call(tmp_path: Path, engine: str) -> None:
    """A task of its own on Prefect; an activity does not know which call it is."""
    _, said = _ported(tmp_path, engine)
    code = "PORT147" if engine == "temporal" else "PORT113"
    assert f"{code} decide: stall.calm: time_limit=5" in said


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        # a decorator of the project's own around it
        ("def hard(", "@watched\ndef hard("),
        # several ways to ask for another attempt
        ("bind", "bind"),
    ],
)
def test_what_cannot_have_a_process_says_so(
    tmp_path: Path, engine: str, before: str, after: str
) -> None:
    text = STALL.replace(before, after)
    if before == after:
        text = text.replace("@app.task(time_limit=1", "@app.task(bind=True, time_limit=1").replace(
            "def hard(kind: str) -> str:\n",
            "def hard(self, kind: str) -> str:\n"
            "    if kind == 'busy':\n        raise self.retry(countdown=7)\n",
        )
    watched = "\n\ndef watched(step):\n    return step\n\n\nclass Odd"
    _, said = _ported(tmp_path, engine, text.replace("\n\nclass Odd", watched, 1))
    assert "PORT147 decide: stall.hard: time_limit=1: no thread can be ended" in said
