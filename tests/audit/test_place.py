from pathlib import Path

import pytest
from typer.testing import CliRunner

from offcanvas.audit.place import outline_at
from offcanvas.cli import app
from offcanvas.errors import UsageError

SOURCE = """from celery import chain, group, shared_task

import nowhere


@shared_task
def one(x): ...


def later(keys):
    chain(
        group(one.s(k) for k in keys),
        nowhere.last(),
    ).delay()
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFCANVAS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("tasks.py").write_text(SOURCE)


def test_a_canvas_is_drawn_without_an_import() -> None:
    shown = CliRunner().invoke(app, ["show", "tasks.py:11"]).output
    assert shown.splitlines()[:3] == ["chain", "  group", "    tasks.one (for each)"]
    assert "? 'nowhere.last()' is not resolved" in shown
    assert outline_at("tasks.py:12") == outline_at("tasks.py:11")
    assert (
        CliRunner()
        .invoke(app, ["show", "tasks.py:11", "--format", "svg"])
        .output.startswith("<svg")
    )
    assert (
        "flowchart"
        in CliRunner().invoke(app, ["show", "tasks.py:11", "--format", "mermaid"]).output
    )


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("tasks.py:1", "there are some at 11"),
        ("gone.py:1", "is not a file"),
        ("tasks.py:x", "is not a place"),
    ],
)
def test_misuse(target: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        outline_at(target)
    Path("tasks.py").write_text("x = (\n")
    with pytest.raises(UsageError, match="cannot be read"):
        outline_at("tasks.py:1")


def test_what_an_outline_cannot_do() -> None:
    for options in (["--format", "json"], ["--arg", "1"]):
        failed = CliRunner().invoke(app, ["show", "tasks.py:11", *options])
        assert isinstance(failed.exception, UsageError)
