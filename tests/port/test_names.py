"""Names and types of a project that meet those of what is emitted."""

from pathlib import Path

import pytest

from offcanvas.port.emit.misfits import takes
from tests.port.project import Folder

STALL = """
from celery import Celery, chain

app = Celery("stall", broker="memory://")


@app.task(time_limit=30)
def limited(x: int) -> list[int]:
    return [x]


@app.task(autoretry_for=(KeyError,))
def work(xs: list[int | None]) -> dict[str, int] | None:
    return {"work": len(xs)}


@app.task(bind=True)
def activity(self, found: dict[str, int]) -> int:
    return found["work"] + self.request.retries


def all_three(x: int):
    return chain(limited.s(x), work.s(), activity.s())
"""
CALLED = {
    "temporal": "from out import activities as a; print(a.limited_2(1), a.work_2([1, None]))",
    "prefect": "from out import tasks as a; print(a.limited_2.fn(1), a.work_2.fn([1, None]))",
}


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_a_task_may_be_called_as_a_helper_is(tmp_path: Path, engine: str) -> None:
    folder = Folder(tmp_path)
    folder.write("stall.py", STALL)
    ended = folder.port("stall:all_three", "--to", engine, "--out", "out")
    assert (ended.code, ended.err) == (1, "")
    called = folder.run("-c", f"if __name__ == '__main__':\n    {CALLED[engine]}")
    assert called.out == "[1] {'work': 2}\n", called.err
    flows = folder.path / f"out/{'workflows' if engine == 'temporal' else 'flows'}.py"
    # What one task gives back is not what the next one says that it takes.
    assert "xs: Any = " in flows.read_text()
    assert "found: Any = " in flows.read_text()


@pytest.mark.parametrize(
    ("wanted", "given", "fits"),
    [
        ("int", "int", True),
        ("int | None", "int", True),
        ("Optional[int]", "int", True),
        ("int", "int | None", False),
        ("int", "Optional[int]", False),
        ("list[int | None]", "list[int]", False),
        ("Sequence[int | None]", "list[int]", True),
        ("list", "list[int]", True),
        ("list[int]", "list", True),
        ("list[Any]", "list[int]", True),
        ("object", "int", True),
        ("float", "int", True),
        ("str", "int", False),
        ("str", "Any", True),
        ("", "int", True),
        ("dict[str, int]", "list[int]", False),
        ("Union[int, str]", "str", True),
    ],
)
def test_whether_a_parameter_takes_a_result(wanted: str, given: str, fits: bool) -> None:
    assert takes(wanted, given) is fits
