"""A canvas that is built already: re-rolled, compared with what it is, and told of."""

from pathlib import Path

from tests.port.project import Folder

TASKS = """
from celery import Celery, chain, chord, group

app = Celery("stall", broker="memory://")

@app.task
def pick(item: str, size: int = 1) -> str:
    return item * size

@app.task
def pack(things: list[str] | str, label: str) -> str:
    return f"{label}: {things}"

@app.task
def note(request, exc, traceback) -> None:
    print("failed")

basket = chord([pick.s(item, 2) for item in "abcd"], pack.s("x").on_error(note.s()))
belt = chain(pick.s("a"), group(pick.si("b"), pack.s("y")), pack.s("z").set(countdown=3))
other = 3
"""


def test_members_that_differ_in_arguments_are_a_loop(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", TASKS)
    ended = folder.port("stall:basket", "stall:belt", "--to", "temporal", "--out", "out")
    assert ended.code == 1, ended.err
    assert (
        "PORT134 decide: basket: re-rolled; it was built with items=['a', 'b', 'c', 'd']"
        in ended.out
    )
    assert "PORT901" not in ended.out
    text = (tmp_path / "out/workflows.py").read_text()
    assert "PickInput(item, size=2)" in text
    assert "for item in given.items" in text
    assert "await workflow.sleep(3)" in text
    typed = folder.run("-m", "mypy", "--strict", "out")
    assert typed.code == 0, typed.out


def test_an_object_that_is_no_canvas(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", TASKS)
    ended = folder.port("stall:other", "--to", "temporal")
    assert (ended.code, ended.out) == (2, "")
    assert "stall.py has no function other" in ended.err
