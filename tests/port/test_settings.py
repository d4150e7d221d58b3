"""What settings of the app say of all tasks is emitted for each, as if the task said it."""

from pathlib import Path

import pytest

from tests.port.project import Folder

TASKS = """
from celery import Celery, chain

app = Celery("stall", broker="memory://")
app.config_from_object("stall.settings", namespace="CELERY")


@app.task
def one(x: int) -> int:
    return x


@app.task(time_limit=5, acks_late=False)
def two(x: int) -> int:
    return x


def both(x: int):
    return chain(one.s(x), two.s())
"""


def _ported(path: Path, settings: str, *more: str, engine: str = "temporal") -> tuple[Folder, str]:
    folder = Folder(path)
    folder.write("stall/__init__.py", "")
    folder.write("stall/settings.py", f"import os\n\n{settings}\n")
    folder.write("stall/tasks.py", TASKS)
    ended = folder.port("stall.tasks:both", "--to", engine, "--out", "out", *more)
    assert (ended.code, ended.err) == (1, "")
    return folder, ended.out


def test_limits_of_the_app_are_those_of_its_tasks(tmp_path: Path) -> None:
    text = "CELERY_TASK_TIME_LIMIT = 60\nCELERY_TASK_ACKS_LATE = True"
    folder, told = _ported(tmp_path, text)
    steps = (folder.path / "out/activities.py").read_text()
    assert "limited(work.one, hard=60)(x)" in steps
    assert "limited(work.two, hard=5)(x)" in steps
    policies = (folder.path / "out/policies.py").read_text()
    assert "# time_limit=60, acks_late=True" in policies
    assert "# time_limit=5, acks_late=False" in policies
    assert "PORT148" not in told


def test_a_setting_of_the_environment_is_told_of(tmp_path: Path) -> None:
    text = 'CELERY_TASK_SOFT_TIME_LIMIT = int(os.environ.get("LIMIT", 30))'
    folder, told = _ported(tmp_path, text)
    assert "PORT148 decide: task_soft_time_limit is taken for 30" in told
    assert "soft=30" in (folder.path / "out/activities.py").read_text()


@pytest.mark.parametrize("engine", ["temporal", "prefect"])
def test_an_imported_app_is_certain(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMIT", "40")
    text = 'CELERY_TASK_SOFT_TIME_LIMIT = int(os.environ.get("LIMIT", 30))'
    folder, told = _ported(tmp_path, text, "-A", "stall.tasks", engine=engine)
    assert "PORT148" not in told
    name = "activities" if engine == "temporal" else "tasks"
    assert "soft=40" in (folder.path / f"out/{name}.py").read_text()


def test_what_is_not_emitted_is_told_of(tmp_path: Path) -> None:
    routes = 'CELERY_TASK_ROUTES = {"stall.tasks.one": "far"}'
    folder, told = _ported(tmp_path, routes)
    said = "PORT148 decide: task_routes holds for tasks, and is not emitted"
    assert told.count(said) == 1
    page = (folder.path / "out/PORT.md").read_text()
    assert page.count("task_routes holds for tasks") == 1


def test_a_serializer_of_the_app_is_seen(tmp_path: Path) -> None:
    _, told = _ported(tmp_path, 'CELERY_TASK_SERIALIZER = "pickle"')
    assert "PORT141" not in told  # all that is handed on is plain
    folder = Folder(tmp_path)
    text = TASKS.replace('namespace="CELERY")', 'namespace="CELERY")\napp.conf.update(a=1)')
    text = text.replace("app.conf.update(a=1)", 'app.conf.update(task_serializer="pickle")')
    folder.write("stall/settings.py", "")
    folder.write(
        "stall/tasks.py", text.replace("def one(x: int) -> int", "def one(x: dict) -> set")
    )
    ended = folder.port("stall.tasks:both", "--to", "temporal", "--out", "apart")
    assert "PORT141 decide: stall.tasks.one(x: dict, -> set)" in ended.out


def test_a_serializer_of_a_task_is_seen(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    text = TASKS.replace("def one(x: int) -> int", "def one(x: dict) -> set")
    text = text.replace("@app.task\ndef one", '@app.task(serializer="pickle")\ndef one')
    assert 'serializer="pickle"' in text
    folder.write("stall/__init__.py", "")
    folder.write("stall/settings.py", "")
    folder.write("stall/tasks.py", text)
    ended = folder.port("stall.tasks:both", "--to", "temporal", "--out", "apart")
    assert "PORT141 decide: stall.tasks.one(x: dict, -> set)" in ended.out
    assert "packed(one)" in (tmp_path / "apart/starter.py").read_text()
